package census

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// errForbidden is that descriptors may not be taken.
var errForbidden = errors.New("taking descriptors is forbidden")

// errClass is that taking descriptors would change the class of the sockets.
var errClass = errors.New("another net_cls or net_prio cgroup")

func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// reasonOf is why a process could not be read, by what came of trying.
func reasonOf(err error) Reason {
	switch {
	case isGone(err):
		return Gone
	case errors.Is(err, unix.ENOSYS):
		return KernelTooOld
	case err == errForbidden:
		return forbidden()
	case err == errClass:
		return ForeignClass
	case errors.Is(err, fs.ErrPermission):
		return ListingDenied
	}
	return Failed
}

// forbidden finds out what forbids taking a descriptor of a process whose
// descriptors may be listed. The kernel says EPERM of each.
func forbidden() Reason {
	if pidfd, err := unix.PidfdOpen(os.Getpid(), 0); err == nil {
		defer unix.Close(pidfd)
		fd, err := unix.PidfdGetfd(pidfd, pidfd, 0)
		if err != nil { // Nothing else forbids a process its own.
			return SeccompDenied
		}
		unix.Close(fd)
	}
	if scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && !bytes.HasPrefix(scope, []byte("0")) {
		return YamaDenied
	}
	return TakingDenied
}

// Explain says of the process what its reason means, and which right it takes.
func (d Denial) Explain() string {
	switch d.Reason {
	case Gone:
		return "no such process"
	case ListingDenied:
		status, err := os.ReadFile("/proc/" + strconv.Itoa(d.PID) + "/status")
		if err != nil {
			return "no such process"
		}
		_, uid, _ := strings.Cut(string(status), "\nUid:\t")
		uid, _, _ = strings.Cut(uid, "\t")
		if uid == strconv.Itoa(os.Getuid()) {
			return "its descriptors may not be listed: it is not dumpable or has more capabilities than this process, which needs CAP_SYS_PTRACE, as root has it"
		}
		return "its descriptors may not be listed: it belongs to user " + uid + ", and this process needs CAP_SYS_PTRACE, as root has it"
	case Failed:
		return d.Err.Error()
	}
	return d.Reason.Meaning()
}
