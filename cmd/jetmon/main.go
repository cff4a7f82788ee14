// Command jetmon is all of Jetmon in one binary: the roles, the whole system in one process
// (dev), and the tools around them. Only this package reads flags, the environment and
// signals, and ends the process. Each command converts them to the Options of a role, of the
// development system (internal/dev) or of a command for people (internal/cli), and runs that.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// sameSignal is the time within which two signals count as one: make, timeout and terminals
// signal both the process and its group.
const sameSignal = 300 * time.Millisecond

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		first := time.Now()
		cancel()
		for range signals {
			if time.Since(first) > sameSignal {
				fmt.Fprintln(os.Stderr, "jetmon: second signal, ending at once")
				os.Exit(exitFailed)
			}
		}
	}()
	p := program{LookupEnv: os.LookupEnv, In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	os.Exit(p.Run(ctx, os.Args[1:]))
}
