// Package dispatch is pure, and has a child on the wrong floor.
package dispatch
