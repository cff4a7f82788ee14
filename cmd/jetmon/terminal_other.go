//go:build !unix

package main

// terminalSize knows no terminals.
func terminalSize(any) (columns int, ok bool) { return 0, false }
