// Package cluster runs all roles in one process: a coordinator, checkers, verifliers
// in several regions and a gateway. They meet over gRPC on an in-memory network, so the
// wire is that of production. The coordinator, the first veriflier and the gateway also
// listen on TCP, but without the AssignmentService: checkers exist in memory only. It runs
// under `jetmon dev` and the scenario tests.
//
// It decides nothing and stores nothing: it wires, starts and stops. A Node can be stopped
// and restarted while the others run, as a process can.
//
// Goroutines: one per running node, which ends with the node's role; Run stops all
// nodes before it returns.
package cluster
