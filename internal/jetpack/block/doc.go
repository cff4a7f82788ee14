// Package block tells from the answer to a GET or POST of xmlrpc.php who stands in the
// way of Jetpack, and what the site's owner can do. Each way of being blocked has its
// own kind; a healthy answer has one, too.
//
// It judges answers that others fetched, from status, header and the beginning of the
// body. It does no I/O.
package block
