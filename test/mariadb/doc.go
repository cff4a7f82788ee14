// Package mariadb gives tests a real MariaDB: a private mariadbd in a temporary
// directory, on a free port of 127.0.0.1.
//
// Start returns empty databases on one server per test process. NewServer makes a separate
// server for one test, which it may kill and restart.
//
// No server outlives its test process. Each runs under a small shell that waits for
// the end of its standard input, a pipe from the test process. However that process ends,
// even by a panic or SIGKILL, the shell then kills the server and removes its directory.
// Nothing needs a TestMain, and no goroutine is left behind.
package mariadb
