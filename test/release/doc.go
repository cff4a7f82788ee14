// Package release has the versions of this repository from which tests upgrade. It checks their
// commits out, and leaves it to the tests to build and run what is in them.
package release
