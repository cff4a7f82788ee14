// Package machine is what programs that measure need of the machine: a private MariaDB, the
// jetmon program, and what processes use.
package machine
