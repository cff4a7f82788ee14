// Package cause has the form in which the packages of a diagnosis name what may be wrong
// with a site: a stable name, what it means, what its owner and its host can do, how sure a
// finding makes it, and how much it matters. Whoever recognises a cause owns its text; a
// test of internal/jetpack reads them all.
package cause

// Cause is something that is wrong with a site, its server, or the way to it.
type Cause struct {
	// Name is stable, for programs, in lower_snake_case, as "basic_auth".
	Name string
	// Weight says how much it matters, Sure how certain it is once it was seen.
	Weight Weight
	Sure   Sure
	// Means is a sentence about what is wrong. Owner and Host are one line each about what
	// the site's owner (who has wp-admin) and the host (who has the server) do next; one of
	// them may be empty.
	Means, Owner, Host string
}

// Weight orders causes: a heavier one explains the trouble better.
type Weight int

// The weights, from the heaviest.
const (
	// Ours is a fault on our side of the way: nothing can be said about the site.
	Ours Weight = iota - 2
	// Whole is a fault of the whole site, as a database that is away: it explains whatever
	// else fails.
	Whole
	// Blocking is a fault that stops calls between WordPress.com and Jetpack. It is the weight
	// of a cause that states none.
	Blocking
	// Partial is a fault of a part: most calls succeed.
	Partial
	// Minor is worth a look, and explains no trouble of today.
	Minor
)

// Sure says how certain a cause is.
type Sure int

// The degrees of certainty.
const (
	// Likely: what was seen has other, rarer causes. It is the degree of a cause that states
	// none.
	Likely Sure = iota
	// Certain: what was seen proves it, as a call that was accepted with another port.
	Certain
	// Possible: what was seen has several causes that are as common.
	Possible
)

// String returns the degree as shown to programs.
func (s Sure) String() string {
	switch s {
	case Certain:
		return "certain"
	case Likely:
		return "likely"
	case Possible:
		return "possible"
	}
	return ""
}
