// Package cluster runs all roles in one process: a coordinator, checkers, verifliers
// in several regions and a gateway. They meet over gRPC on an in-memory network, so
// the wire is that of production; the coordinator, the first veriflier and the gateway
// can be reached over TCP besides, but nobody is a checker there: the AssignmentService
// is in memory only. It is behind `jetmon dev` and the scenario tests.
//
// It decides nothing and stores nothing: it wires, starts and stops. A Node can be
// stopped and started again while the others run, as a process can.
//
// Goroutines: one per running node, which ends with the node's role; Run stops all
// nodes before it returns.
package cluster
