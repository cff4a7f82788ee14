// Package hostile sends requests that no honest client sends to a real coordinator and a
// real veriflier, over sockets and by an HTTP/2 client of its own, which sends whatever bytes
// it is told to. Each must be refused in words and within a bound, and nobody else may
// notice.
//
// The requests are made from the descriptors of the contract: a new RPC or field is in the
// table without anybody's doing.
package hostile
