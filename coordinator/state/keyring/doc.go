// Package keyring knows the tokens of the API: it keeps those that are good in memory, so that
// a call asks no database who calls.
//
// It reads them anew every few seconds, so that a token that another coordinator has made or
// revoked is known here soon; and at once when it is shown a token that it does not know, but
// then at most once a second for long, whoever shows what. While the database is away, the tokens that
// it knows go on. It notes once a minute which tokens were used.
//
// Goroutines: none; Run is one, and ends with ctx.
package keyring
