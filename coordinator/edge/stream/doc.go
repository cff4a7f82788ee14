// Package stream serves the AssignmentService, with one session per stream. It converts
// messages and moves them between the wire and the engine. dispatch decides which checker
// gets which checks; the engine decides what a result means.
//
// Goroutines: two per stream. The handler sends, and ends with the session. The receiver
// ends with the stream: when the checker closes it or the handler has returned. A third one
// waits for the first request, and ends with it or with the stream.
//
// When the coordinator stops, it hands out nothing more, and checkers have cadence.Drain to
// check in their open batches. A session without open batches ends sooner.
package stream
