// Package arch checks the house rules: which package may import which, and what no file may
// contain. The rules are the tables of rules.go. arch_test.go applies them to the whole
// module, and to a small module full of mistakes, to prove that it finds each kind.
//
// It judges the text only, by go list and go/parser: nothing needs to compile. Generated
// code (gen) and tests are exempt, except from the limit on the length of files.
package arch
