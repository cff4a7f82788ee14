// Package fakejetpack is a small WordPress site with Jetpack, and the part of
// WordPress.com that describes sites, for trying the other packages of internal/jetpack
// and tools. As far as Jetpack's calls can see, it answers as the real ones do. It can
// stand behind every kind of block that site owners meet.
//
// It is an http.Handler; its server decides where it listens. It keeps no state except its
// nonces and its sync queue.
package fakejetpack
