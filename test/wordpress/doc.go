// Package wordpress runs real WordPress sites with the real connection and sync packages of
// a Jetpack plugin, for tests that ask whether what the diagnosis and the fake site believe
// is true.
//
// Everything is private: a copy of Debian's WordPress, PHP-FPM, nginx and a database in a
// temporary directory, on ports 80, 443 and 8080 of an address of 127.0.0.0/8 that nobody else uses (signatures
// cover the port, so a site that is healthy needs the usual ones; this needs root). Nothing
// of /etc is changed, no service of a package runs, and WordPress may not call the outside
// world. Programs end with their tests, as those of test/mariadb do.
//
// The tests have the build tag wordpress and a JETPACK_DIR, the directory of the plugin;
// make test-wordpress sets both. The records of testdata say what was seen on which version;
// fake_test.go compares the fake site with them.
package wordpress
