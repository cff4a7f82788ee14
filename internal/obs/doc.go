// Package obs is what an operator sees of a process: its log, its metrics, and the
// debug listener that serves them.
//
// It decides nothing and holds no global: loggers and registries are handed down as
// values. Metrics of Jetmon have no label per site.
//
// Goroutines: ServeDebug runs one that accepts until its context ends.
package obs
