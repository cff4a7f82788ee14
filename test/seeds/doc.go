// Package seeds runs random tests so that they fail for a reason only: with a list of
// fixed seeds in make test, and with new ones in make soak. A seed that failed once joins
// its test's list.
//
// A test that fails prints its seed, and the command that repeats it.
//
// Two variables of the environment replace the list:
//
//	TESTSEED=7         that seed alone
//	TESTSOAK=10m/30    new seeds for a thirtieth of ten minutes, at least one, until one fails
//
// make soak finds the tests by the text of their files, so Run and Check are called in
// the test function itself.
package seeds
