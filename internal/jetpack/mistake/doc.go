// Package mistake knows the mistakes that make a Jetpack site refuse good signatures. A site
// that refuses one says nothing of the reason, but it accepts a call that was signed as it
// believes to have been called. So each mistake is a way to sign, and the cause that an
// accepted call proves.
//
// It owns the order in which mistakes are tried, and the texts of their causes. It sends
// nothing.
//
//	mistake.go  a mistake, and how a call is signed for it
//	order.go    which mistakes are tried on a site, and in what order
//	clock.go    from what a site accepts to what its clock says
//	cause.go    the causes
package mistake
