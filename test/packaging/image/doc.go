// Package image makes the image of the Dockerfile where no Docker is: it follows the
// Dockerfile's instructions, as Docker's own parser reads them, and fails at one that it does
// not know. The stage that compiles runs in a root made of this machine's programs, its Go
// standing for that of the base image; what it may not reach is not there. The result is the
// folder that would be the image, and Box runs a program in it as a container would.
//
// It needs Linux, root, and util-linux.
package image
