// Package alarm decides when the monitor itself is sick, and says so in words.
//
//	Facts ---> Evaluate ---> []Condition ---> Book.Note ---> alarms, with when each began
//	                                             |
//	                                             '---------> edges: what began, what ended
//
// Facts are what the parts of a coordinator report of themselves at one moment. Evaluate
// holds the thresholds: it is the definition of "this monitor is sick". The Book knows
// since when each condition holds. List puts alarms in the order in which a person should
// read them.
//
// The package is pure: time arrives as a value, and it neither asks nor tells anybody. The
// coordinator gathers the facts once a second whether anybody asks or not, logs the edges
// and counts the alarms; the API only converts them.
package alarm
