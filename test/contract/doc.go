// Package contract holds the tests that keep the protos, the generated code and
// the rules of buf.yaml together. It has no code of its own.
package contract
