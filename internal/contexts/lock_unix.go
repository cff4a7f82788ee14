//go:build unix

package contexts

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock waits until no other process has locked a folder, and locks it. The lock ends with
// unlock, or with the process.
func lock(dir string) (unlock func(), err error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(folder.Fd()), unix.LOCK_EX); err != unix.EINTR {
			break
		}
	}
	if err != nil {
		_ = folder.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { _ = folder.Close() }, nil
}
