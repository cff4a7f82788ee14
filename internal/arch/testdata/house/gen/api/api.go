// Package api is generated: it may do what it likes.
package api

// State is mutable.
var State map[string]int

func init() { State = map[string]int{} }
