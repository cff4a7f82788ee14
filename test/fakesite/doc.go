// Package fakesite provides targets for tests: web sites that fail in every way on demand,
// over HTTP or TLS, and a name server that answers by script. Everything listens on
// loopback and ends with the test. It knows nothing of Jetmon.
//
// A story about a site that fails and comes back:
//
//	site := fakesite.New(t)
//	... site.URL() is monitored ...
//	site.SetStatus(503)
//	... down ...
//	site.SetStatus(200)
//
// Goroutines: each Site has one that accepts and one per connection; each DNS has two
// servers. They end in the test's clean-up, which waits for them.
package fakesite
