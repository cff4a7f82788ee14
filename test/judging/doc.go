// Package judging tests the whole way of a judgement in virtual time: the real engine,
// panel and committer, with gRPC to fake verifliers over an in-memory network, under random
// losses, lies, delays, strangers, restarts and a store that fails. What happens is
// compared with what was true.
package judging
