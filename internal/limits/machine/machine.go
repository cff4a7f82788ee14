// Package machine reads the limits of the machine that the process runs on. It decides nothing:
// package limits does. On systems other than Linux it knows none.
package machine
