package tcpopt

import (
	"errors"
	"math"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Winsock documents idle and interval as DWORD seconds and gives no range. Ours
// ends where the same time would overflow the milliseconds of
// SIO_KEEPALIVE_VALS, so that nothing can wrap. Counts above 255 are illegal.
var (
	keepAlive    = option{label: "SO_KEEPALIVE", level: windows.SOL_SOCKET, name: windows.SO_KEEPALIVE, most: 1, inherits: true}
	keepIdle     = option{label: "TCP_KEEPIDLE", level: windows.IPPROTO_TCP, name: windows.TCP_KEEPIDLE, unit: time.Second, least: 1, most: math.MaxUint32 / 1000, inherits: true, note: together}
	keepInterval = option{label: "TCP_KEEPINTVL", level: windows.IPPROTO_TCP, name: windows.TCP_KEEPINTVL, unit: time.Second, least: 1, most: math.MaxUint32 / 1000, inherits: true, note: together}
	keepCount    = option{label: "TCP_KEEPCNT", level: windows.IPPROTO_TCP, name: windows.TCP_KEEPCNT, least: 1, most: 255, inherits: true, fixed: 10, note: "always 10 before Windows 10 version 1703"}
	userTimeout  = option{label: "TCP_USER_TIMEOUT", unit: time.Millisecond}
	tcpInfo      = option{label: "SIO_TCP_INFO", name: sioTCPInfo, progress: readProgress}
	noDelay      = option{label: "TCP_NODELAY", level: windows.IPPROTO_TCP, name: windows.TCP_NODELAY}

	// keepPair takes idle<<32 | interval. It can be set and not read.
	keepPair = option{label: "SIO_KEEPALIVE_VALS", name: windows.SIO_KEEPALIVE_VALS, unit: time.Millisecond, least: 1, most: math.MaxUint32, inherits: true}
)

var onlyTCP = &noDelay

// The values that stand for an absent one are those of Microsoft's page on
// SO_KEEPALIVE.
var systemRows = []systemRow{
	{name: "KeepAliveTime", tick: time.Millisecond, of: &keepIdle, absent: 7200000},
	{name: "KeepAliveInterval", tick: time.Millisecond, of: &keepInterval, absent: 1000},
}

const together = "not an option before Windows 10 version 1709, where SetConfig sets idle and interval together"

// tried remembers by option name which TCP options this Windows has. They came
// in different versions, so each is tried on its own.
var tried [windows.TCP_KEEPINTVL + 1]atomic.Int32

const maxFD = ^uintptr(0) // Of a SOCKET.

const (
	has = iota + 1
	lacks
)

func (o *option) present() bool {
	if o.level != windows.IPPROTO_TCP || o.name == windows.TCP_NODELAY {
		return o.name != 0
	}
	seen := &tried[o.name]
	if seen.Load() == 0 {
		if err := o.try(); err == nil {
			seen.Store(has)
		} else if lacksOption(err) {
			seen.Store(lacks)
		}
	}
	return seen.Load() != lacks
}

func (o *option) try() error {
	return fresh(func(s Socket) error {
		var err error
		cerr := s.raw.Control(func(fd uintptr) {
			err = setsockopt(fd, o, 1)
		})
		return errors.Join(cerr, err)
	})
}

func getsockopt(fd uintptr, o *option) (int64, error) {
	n, err := windows.GetsockoptInt(windows.Handle(fd), o.level, int(o.name))
	return int64(n), err
}

func setsockopt(fd uintptr, o *option, n int64) error {
	if o == &keepPair {
		return setPair(fd, uint32(n>>32), uint32(n))
	}
	return windows.SetsockoptInt(windows.Handle(fd), o.level, int(o.name), int(n))
}

// setPair leaves SO_KEEPALIVE as it was.
func setPair(fd uintptr, idle, interval uint32) error {
	on, err := getsockopt(fd, &keepAlive)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	err = setKeepAliveVals(windows.Handle(fd), idle, interval)
	if err != nil || on != 0 {
		return os.NewSyscallError("wsaioctl", err)
	}
	return setsockopt(fd, &keepAlive, 0)
}

// setKeepAliveVals also switches keepalive on.
func setKeepAliveVals(fd windows.Handle, idle, interval uint32) error {
	vals := struct{ onoff, idle, interval uint32 }{1, idle, interval}
	var returned uint32
	return windows.WSAIoctl(fd, windows.SIO_KEEPALIVE_VALS,
		(*byte)(unsafe.Pointer(&vals)), uint32(unsafe.Sizeof(vals)), nil, 0, &returned, nil, 0)
}

// notTCP is what else a system says of a descriptor that has no options at that
// level; EINVAL is of FreeBSD, macOS and Wine.
var notTCP = []error{windows.WSAEINVAL, windows.WSAENOTSOCK}

// lacksOption reports whether Winsock says so in err, in numbers that do not
// match errors.ErrUnsupported by themselves.
func lacksOption(err error) bool {
	return errors.Is(err, windows.WSAENOPROTOOPT) || errors.Is(err, windows.WSAEOPNOTSUPP) || errors.Is(err, errors.ErrUnsupported)
}
