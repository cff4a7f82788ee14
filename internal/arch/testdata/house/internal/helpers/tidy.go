// Package tidy hides in a directory of a bad name.
package tidy
