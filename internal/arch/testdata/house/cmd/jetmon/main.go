// Command jetmon may read flags, the environment and arguments.
package main

import (
	"flag"
	"os"
)

var version = "unknown"

func main() {
	flag.Parse()
	if len(os.Args) > 1 && os.Getenv(version) != "" {
		os.Exit(1)
	}
}
