// Package logbook keeps what became of every turn of every site, and reads it again; see
// design 0033. It owns the form of the blobs: which rows there are, how they are compressed, and
// when fewer rows are made of many. Package history decides what is in them.
//
//	engine --flush--> journal --fold, once an hour--> hours, summaries, fleet --once a day--> days
//
// A Logbook writes: it takes the notes of one shard after the other out of the engine, each once
// in Options.FlushEvery, and adds them to the journal. When a shard has been flushed after the
// end of an hour, it folds that hour. What cannot be written waits in memory, compressed.
//
// A Reader reads. What a blob no longer says is a gap and a line in the log, never an error.
//
// Nothing here is on the path of a check or of a verdict: when the logbook stops, history has a
// gap.
//
// Goroutines: Run is one, and has at most flushers others at its end. A Reader has none.
package logbook
