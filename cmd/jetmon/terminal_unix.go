//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminalSize returns the size of the terminal that v is; ok is false when it is none.
func terminalSize(v any) (columns int, ok bool) {
	file, isFile := v.(*os.File)
	if !isFile {
		return 0, false
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return 0, false
	}
	_ = raw.Control(func(fd uintptr) { // ok stays false
		size, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ)
		if ok = err == nil; ok {
			columns = int(size.Col)
		}
	})
	return columns, ok
}
