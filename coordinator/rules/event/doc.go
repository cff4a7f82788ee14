// Package event defines what others may be told of: events, their form as JSON, and the filters
// that admit them.
//
// An event is made in the transaction of what happened and is frozen there: its JSON is stored,
// and every way of telling it starts from that text. The names in it are those of
// jetmon.monitor.v1.Event, so that a stored event is also a message of the API.
//
// It decides nothing about a site, and nothing about who listens or when.
package event
