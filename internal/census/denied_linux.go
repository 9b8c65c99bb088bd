package census

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// errClass says that taking descriptors would change the class of the sockets.
var errClass = errors.New("another net_cls or net_prio cgroup")

// errHidden says that /proc hides a process or its contents.
var errHidden = errors.New("hidden by the mount option hidepid of /proc")

// errThread says that a thread has no pidfd before Linux 6.9.
var errThread = errors.New("descriptors of a thread alone cannot be taken before Linux 6.9")

// A callError is a system call that failed.
type callError struct {
	call string
	err  error
}

func (e *callError) Error() string { return e.call + ": " + e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// reasonOf returns why a process could not be read, from the error of trying.
func reasonOf(err error) Reason {
	var call *callError
	switch {
	case isGone(err):
		return Gone
	case err == errClass:
		return ForeignClass
	case err == errHidden:
		return Hidden
	case err == errThread:
		return ThreadTooOld
	case errors.As(err, &call):
		return call.reason()
	case errors.Is(err, fs.ErrPermission) && mayTraceAll():
		return ListingBanned
	case errors.Is(err, fs.ErrPermission):
		return ListingDenied
	}
	return Failed
}

// reason returns why a call to take or read a descriptor failed. Every kernel has
// getsockopt and fstat; its release says whether it has the others.
func (e *callError) reason() Reason {
	pidfd := e.call == "pidfd_open" || e.call == "pidfd_getfd"
	switch {
	case errors.Is(e.err, unix.ENOSYS) && filtered() && (!pidfd || hasPidfdGetfd()):
		return SeccompDenied
	case errors.Is(e.err, unix.ENOSYS) && pidfd:
		return KernelTooOld
	case !errors.Is(e.err, fs.ErrPermission):
		return Failed
	case e.call == "pidfd_getfd":
		return forbidden()
	case errors.Is(e.err, unix.EPERM) && filtered():
		return SeccompDenied
	}
	return TakingDenied
}

// filtered reports whether this thread has a seccomp filter.
func filtered() bool {
	status, err := os.ReadFile("/proc/thread-self/status")
	return err == nil && bytes.Contains(status, []byte("\nSeccomp:\t2\n"))
}

// hasPidfdGetfd reports whether the kernel's release has pidfd_getfd, the later of the
// two calls.
func hasPidfdGetfd() bool {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return false
	}
	var major, minor int
	fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	return major > 5 || major == 5 && minor >= 6
}

// forbidden finds what forbids taking a descriptor of a process whose descriptors may
// be listed. The kernel returns EPERM for each cause.
func forbidden() Reason {
	if pidfd, err := unix.PidfdOpen(os.Getpid(), 0); err == nil {
		defer unix.Close(pidfd)
		fd, err := unix.PidfdGetfd(pidfd, pidfd, 0)
		if err != nil { // Nothing else forbids taking one's own.
			return SeccompDenied
		}
		unix.Close(fd)
	}
	if scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && !bytes.HasPrefix(scope, []byte("0")) {
		return YamaDenied
	}
	return TakingDenied
}

// Explain says what the reason means for this process, and which right is missing.
func (d Denial) Explain() string {
	switch d.Reason {
	case Gone:
		if why, ok := strings.CutSuffix(d.Err.Error(), ": "+unix.ESRCH.Error()); ok && !errors.As(d.Err, new(*callError)) {
			return "no such process, but " + why
		}
		return d.Meaning()
	case ListingDenied:
		status, err := os.ReadFile("/proc/" + strconv.Itoa(d.PID) + "/status")
		if err != nil {
			return "no such process"
		}
		_, uid, _ := strings.Cut(string(status), "\nUid:\t")
		uid, _, _ = strings.Cut(uid, "\t")
		if uid == strconv.Itoa(os.Getuid()) {
			return "its descriptors may not be listed: it is not dumpable or has more capabilities than this process, which needs CAP_SYS_PTRACE, as root has it, or a security module forbids it"
		}
		return "its descriptors may not be listed: it belongs to user " + uid + ", and this process needs CAP_SYS_PTRACE, as root has it"
	case Failed:
		return d.Err.Error()
	}
	return d.Meaning()
}
