// Package fakesite is the targets that tests aim at: web sites that can be made to fail
// in every way on demand, over HTTP or TLS, and a name server that answers by script.
// Everything listens on loopback and ends with the test. It knows nothing of Jetmon.
//
// A story about a site that fails and comes back:
//
//	site := fakesite.New(t)
//	... site.URL() is watched ...
//	site.SetStatus(503)
//	... down ...
//	site.SetStatus(200)
//
// Goroutines: one that accepts and one for each connection, for each Site; two servers
// for each DNS. They end in the test's clean-up, which waits for them.
package fakesite
