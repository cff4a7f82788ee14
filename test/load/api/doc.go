// Command api measures what users of the API wait for: it fills a private MariaDB with sites,
// starts a real coordinator and a real gateway, and calls them over loopback, the same call
// through the gateway and over gRPC in turns. Then it imports rows. At the end it runs commands
// for people, each in a process of its own.
//
// All sites but those that are down are paused, and there is no checker, so that the coordinator
// has nothing else to do.
//
// Goroutines: the callers of a round, which end with it, and the readers of the logs, which end
// with the processes.
package main
