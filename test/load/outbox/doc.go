// Command outbox measures the delivery of events to a webhook: how long one takes from its commit
// to the receiver, what it costs to look at a million that wait, and how fast they are delivered.
//
// The database is a private MariaDB that has each transaction on the disk before it answers; the
// receiver is an HTTP server in this program, on loopback. Store and Deliverer are those of a
// coordinator, in this program too; the bucket of the subscription is off. The program ends by
// itself.
package main
