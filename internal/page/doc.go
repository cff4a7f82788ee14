// Package page judges a web page as a whole: whether it is the site, or a failure that came
// with a good status. It decides from values alone.
//
// Only what the whole page is counts: its title, its only text, its structure, its size. A
// page that is about a failure, and quotes it, is healthy.
//
//	outline.go    what a page shows, without its markup; text.go its texts
//	judge.go      the order of the questions, and the verdict
//	wordpress.go  WordPress's own failures, in its structure and in the languages of texts.go
//	others.go     PHP's failures, listings, install screens, placeholders
package page
