// Package fakejetpack is a small WordPress site with Jetpack, and the part of
// WordPress.com that tells about sites: what the other packages of internal/jetpack, and
// tools, can be tried on. It answers as the real ones do as far as Jetpack's calls can
// see, and can be put behind every kind of block that site owners meet.
//
// It is an http.Handler; who serves it decides where it listens. It keeps no state but
// its nonces and its sync queue.
package fakejetpack
