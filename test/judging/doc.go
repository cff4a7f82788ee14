// Package judging tests verdicts from the first failing check to the committed change, in
// virtual time: the real engine, panel and committer, with gRPC to fake verifliers over an
// in-memory network. There are random losses, lies, delays, strangers, restarts and store
// failures. The tests compare the reported changes with the true state of the sites.
package judging
