// Package stream is the thin shell around dispatch: AssignmentService, one session a
// stream. It converts, and moves messages between the wire and the engine; who gets
// what is dispatch's decision, what a result means is the engine's.
//
// Two goroutines a stream: the handler sends, and ends when the session does; the
// receiver ends with the stream, that is when the checker closes it or the handler
// has returned.
//
// When the coordinator ends, checkers get nothing more and 4 s to check in what they
// have out; a session that has nothing out ends without waiting for that.
package stream
