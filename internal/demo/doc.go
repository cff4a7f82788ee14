// Package demo is what `jetmon dev` shows without the Internet: a few web sites to
// watch, and a WordPress.com that takes notices and lists them.
//
// It owns nothing of the product. The inbox stands for the peer, so it reads v1's
// notices with eyes of its own and shares no code with what writes them; tests use
// it, too, to play a WordPress.com that is sick.
//
// Goroutines: Run has one per listener, which ends when Run's context does, at the
// latest stopTime later, and those of net/http below it.
package demo
