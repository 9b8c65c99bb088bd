package labtest

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// NeedTaking skips t if no descriptor can be taken at all.
func NeedTaking(t testing.TB) {
	t.Helper()
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err == nil {
		defer unix.Close(pidfd)
		var fd int
		if fd, err = unix.PidfdGetfd(pidfd, pidfd, 0); err == nil {
			unix.Close(fd)
			return
		}
	}
	t.Skipf("no pidfd_getfd here: %v", err)
}
