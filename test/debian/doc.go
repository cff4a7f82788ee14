// Package debian tests the Debian package where it is used: in a machine of its own, with
// systemd as its first process, in which the steps of deploy/README.md and docs/upgrading.md are
// taken word by word.
//
// The machine is the one that the test runs on, seen through an overlay: what is written there
// is seen by nobody else, and is gone with the test. It has processes, mounts, control groups,
// a host name and a network of its own, over which nothing can be downloaded: packages are built
// before. The tests need root, Debian's systemd, dpkg and lintian, and a clone with its history;
// they have the build tag packaging, and make test-deb runs them.
package debian
