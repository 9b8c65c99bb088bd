package census

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// userOf returns the user to whom a process, a directory of /proc, belongs. That is its
// real user, even if it runs a program as another. In a user namespace below this one,
// which may have many users, it is the maker of that namespace.
func userOf(dir string) (uint32, error) {
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return 0, err
	}
	user, err := parseUser(string(status), real)
	if err != nil {
		return 0, err
	}
	own, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		return user, nil // The kernel has no user namespaces.
	}
	if theirs, err := os.Readlink(dir + "/ns/user"); err != nil || theirs == own {
		return user, err
	}
	return makerOf(dir+"/ns/user", own, user)
}

// The users of a process, in the order of its status.
const (
	real      = 0
	effective = 1
)

// parseUser reads one of the users in a process's status, see proc_pid_status(5).
func parseUser(status string, which int) (uint32, error) {
	_, line, _ := strings.Cut(status, "\nUid:")
	line, _, _ = strings.Cut(line, "\n")
	fields := strings.Fields(line)
	if len(fields) <= which {
		return 0, errors.New("no user in a status of /proc")
	}
	n, err := strconv.ParseUint(fields[which], 10, 32)
	return uint32(n), err
}

// makerOf returns the maker of the user namespace at path, or of the one above it that
// is right below own. The maker of a namespace that is not below own is unknown;
// makerOf returns user then. See ioctl_nsfs(2).
func makerOf(path, own string, user uint32) (uint32, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	for {
		parent, err := unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
		if err != nil {
			unix.Close(fd)
			return user, nil
		}
		above, err := os.Readlink("/proc/thread-self/fd/" + strconv.Itoa(parent))
		if err == nil && above == own {
			maker, err := unix.IoctlGetUint32(fd, unix.NS_GET_OWNER_UID)
			unix.Close(fd)
			unix.Close(parent)
			return maker, err
		}
		unix.Close(fd)
		if fd = parent; err != nil {
			unix.Close(fd)
			return user, nil
		}
	}
}
