// Package galera gives tests a real cluster of Galera: three nodes of MariaDB on 127.0.0.1 to
// 127.0.0.3, each with a port for clients, one for the group, one for state transfers. Nodes
// can be killed, cut off, held back, and brought back.
//
// New makes a cluster for one test. Shared returns that of this test process. A database has a DSN
// for each node.
//
// The group has Galera's own timeouts: a node that is gone is missed after 5 s, in which nobody
// can commit. As with package mariadb, no node outlives its test process.
package galera
