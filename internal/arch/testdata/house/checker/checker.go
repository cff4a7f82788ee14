// Package checker reads flags and the environment, and ends the process.
package checker

import (
	"flag"
	system "os"
)

// Run does what a command may.
func Run() {
	flag.Parse()
	if system.Getenv("X") != "" {
		system.Exit(1)
	}
}
