// Package alarm decides when the monitor itself is unhealthy, and describes it in words.
//
//	Facts ---> Evaluate ---> []Condition ---> Book.Note ---> alarms, with when each began
//	                                             |
//	                                             '---------> edges: what began, what ended
//
// Facts are the reports of the parts of a coordinator at one moment. Evaluate holds the
// thresholds: it defines what "this monitor is unhealthy" means. The Book records since when
// each condition holds. List puts alarms in the order in which a person should read them.
//
// The package is pure: time arrives as a value, and it does no I/O. Once a second, whether
// or not there is a request, the watchdog gathers the facts, logs the edges and counts the
// alarms; the API only converts them.
package alarm
