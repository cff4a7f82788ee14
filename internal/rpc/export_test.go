package rpc

// DefaultDeadline and ShaveDeadline are for the tests.
const DefaultDeadline = defaultDeadline

var ShaveDeadline = shaveDeadline

// Garbled is garbled.
var Garbled = garbled
