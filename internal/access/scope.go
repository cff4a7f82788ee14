package access

import (
	"fmt"
	"strings"

	"github.com/Automattic/jetmon/internal/fault"
)

// Scopes is a set of what an API token is good for.
type Scopes uint16

// The scopes.
const (
	// SitesRead reads sites, their state and its explanation.
	SitesRead Scopes = 1 << iota
	// SitesWrite creates, edits and deletes sites.
	SitesWrite
	// ChecksRun has sites checked and diagnosed at once.
	ChecksRun
	// OutagesRead reads outages with their evidence.
	OutagesRead
	// NotificationsManage reads and edits who is told of what.
	NotificationsManage
	// FleetRead reads the state of the fleet, with the alarms.
	FleetRead
	// Admin manages tokens and reads the audit trail. It includes every other scope.
	Admin
)

// scopeNames has the name of each scope, in the order of their values.
var scopeNames = [...]string{
	"sites:read", "sites:write", "checks:run", "outages:read", "notifications:manage", "fleet:read", "admin",
}

// AllScopes lists the names of all scopes.
func AllScopes() []string { return append([]string(nil), scopeNames[:]...) }

// ParseScopes returns the set of scopes with these names.
func ParseScopes(names []string) (Scopes, error) {
	var s Scopes
	for _, name := range names {
		one := scopeNamed(name)
		if one == 0 {
			return 0, fmt.Errorf("there is no scope %q; the scopes are %s", fault.Clip(name, maxQuoted), strings.Join(scopeNames[:], ", "))
		}
		s |= one
	}
	return s, nil
}

func scopeNamed(name string) Scopes {
	for i, known := range scopeNames {
		if name == known {
			return 1 << i
		}
	}
	return 0
}

// Has reports whether s includes all of other.
func (s Scopes) Has(other Scopes) bool { return s&Admin != 0 || s&other == other }

// Names lists the names of the scopes in s.
func (s Scopes) Names() []string {
	var names []string
	for i, name := range scopeNames {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String lists the names of the scopes in s, separated by spaces.
func (s Scopes) String() string { return strings.Join(s.Names(), " ") }

// Wide are the scopes about all sites at once; a token that is limited to some blogs cannot
// have them.
const Wide = FleetRead | Admin
