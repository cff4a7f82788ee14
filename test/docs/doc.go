// Package docs runs the examples of the documentation: the tour of the README and the page of
// the API, word by word and in their order, against `jetmon dev` as a process.
//
// A test runs itself once more in a network of its own, where the ports of the examples are free
// and nothing beyond this machine can be asked. It needs Linux, and the right to make such a
// network (user namespaces, or root).
package docs
