// Command jetmon may read flags, the environment and arguments.
package main

import (
	"flag"
	"os"
)

const variable = "JETMON_X"

func main() {
	flag.Parse()
	if len(os.Args) > 1 && os.Getenv(variable) != "" {
		os.Exit(1)
	}
}
