package store

import (
	"context"

	"github.com/Automattic/jetmon/coordinator/rules/record"
)

// Witness makes the record of an edit of a site for the audit trail. before is nil for a site
// that is created, after for one that is deleted.
type Witness func(before, after *record.Site) record.Audit

type witnessKey struct{}

// WithWitness returns a context whose edits of sites are on record: CreateSite, UpdateSite and
// DeleteSite keep what w says of each edit, in the transaction of the edit. It travels with the
// context because it belongs to the request, as its deadline does.
func WithWitness(ctx context.Context, w Witness) context.Context {
	return context.WithValue(ctx, witnessKey{}, w)
}

// WitnessOf returns the witness of a context, nil when it has none.
func WitnessOf(ctx context.Context) Witness {
	w, _ := ctx.Value(witnessKey{}).(Witness)
	return w
}
