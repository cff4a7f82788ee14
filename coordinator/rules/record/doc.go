// Package record defines what the coordinator keeps, as values: a site's row, a change of its
// status, the evidence for it, the outage, the notification that reports it, and the snapshot
// of a site in trouble. The engine thinks in these nouns, the store keeps them, and the edge
// shows them.
//
// It decides nothing and reads nothing: state/store has the interface that keeps them.
package record
