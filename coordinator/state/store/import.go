package store

import (
	"context"

	"github.com/Automattic/jetmon/coordinator/rules/record"
)

// MaxAdded bounds the sites of one AddSites.
const MaxAdded = 500

// Import adds many sites at once.
type Import interface {
	// AddSites adds sites, at most MaxAdded, and returns what became of each, in order. It ignores
	// what CreateSite ignores. A site is refused alone when the table cannot hold it, and on trial
	// when its bucket was not taken over. One whose blog has its URL, in the table or earlier in
	// the list, is not added. After an error of AddSites itself some may have been added: the same
	// call again adds none twice.
	AddSites(ctx context.Context, sites []record.Site) ([]Added, error)
}

// Added is what became of one site of AddSites.
type Added struct {
	// Site is the site as it is stored: the one that was added or, with Existed, the one that
	// has its blog and URL.
	Site    record.Site
	Existed bool
	// Err is why the site was refused; Site is zero then.
	Err error
}
