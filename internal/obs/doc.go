// Package obs makes a process observable: its log, its metrics, and the debug listener
// that serves them.
//
// It decides nothing and has no globals: callers pass loggers and registries as values.
// Jetmon's metrics have no label per site.
//
// Goroutines: ServeDebug runs one that accepts until its context ends.
package obs
