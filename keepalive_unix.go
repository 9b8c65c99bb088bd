//go:build unix

package tcpopt

import (
	"errors"
	"math"
	"syscall"

	"golang.org/x/sys/unix"
)

var (
	// macOS, FreeBSD, OpenBSD and illumos answer 8, their bit, where it is on; NetBSD 1.
	keepAlive = option{label: "SO_KEEPALIVE", level: unix.SOL_SOCKET, name: unix.SO_KEEPALIVE, most: 1, inherits: keepIdle.inherits}

	noDelay = option{label: "TCP_NODELAY", level: unix.IPPROTO_TCP, name: unix.TCP_NODELAY}

	keepPair option
)

// maxFD is the greatest descriptor; a greater number would be cut to another's.
const maxFD = math.MaxInt32

func (o *option) present() bool { return o.name != 0 }

// Package syscall's are quicker than those of x/sys, which make one call more.
func getsockopt(fd uintptr, o *option) (int64, error) {
	n, err := syscall.GetsockoptInt(int(fd), o.level, int(o.name))
	return int64(n), err
}

func setsockopt(fd uintptr, o *option, n int64) error {
	return syscall.SetsockoptInt(int(fd), o.level, int(o.name), int(n))
}

// notTCP is what else a system says of a descriptor that has no options at that
// level; EINVAL is of FreeBSD, macOS and Wine.
var notTCP = []error{unix.EINVAL, unix.ENOTSOCK}

// lacksOption reports whether a kernel says so in err. Only some of its ways to
// say it match errors.ErrUnsupported by themselves.
func lacksOption(err error) bool {
	return errors.Is(err, unix.ENOPROTOOPT) || errors.Is(err, errors.ErrUnsupported)
}
