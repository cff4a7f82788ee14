// Package arch holds the house to its rules: who may import whom, and what no file of
// ours contains. The rules are the tables of rules.go; arch_test.go reads the whole
// module by them, and a small house full of mistakes to prove that each is seen.
//
// It judges text only, by go list and go/parser: nothing needs to compile. Generated
// code (gen) and tests are free, but for the length of their files.
package arch
