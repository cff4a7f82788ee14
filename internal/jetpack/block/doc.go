// Package block decides from the answer to a GET or POST of xmlrpc.php who blocks
// Jetpack, and what the site's owner can do. Each way of blocking has its own kind; so
// does a healthy answer.
//
// It examines answers that its caller fetched: status, header and the beginning of the
// body. It does no I/O.
package block
