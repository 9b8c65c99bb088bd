package tcpopt

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bsdInfo is the used part of struct tcp_info of sys/netinet/tcp.h, FreeBSD 14
// and 15. In FreeBSD 13 snd_una is padding, so that Acked stays at zero.
type bsdInfo struct {
	_      [112]byte
	rcvNxt uint32
	_      [60]byte
	sndUna uint32
}

// FIONWRITE and FIONREAD of sys/filio.h: _IOR('f', 119, int) and 127.
const (
	fionWrite = 0x40046677
	fionRead  = 0x4004667f
)

// The kernel counts no bytes. What it has are sequence numbers, which start
// anywhere and return to zero every 4 GiB: a look that falls behind the one
// before it proves nothing, and one that is ahead has moved. It gives the time
// since the last segment in microseconds modulo 71 minutes (tcp_fill_info of
// sys/netinet/tcp_usrreq.c), so that a long silence would read as a short one:
// Silence is not reported.
func readProgress(fd uintptr) (Progress, error) {
	var info bsdInfo
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	switch {
	case errno == unix.ECONNRESET: // tcp_ctloutput, whatever ended the connection.
		return Progress{Silence: -1, Probes: -1, Aborted: true}, nil
	case errno != 0:
		return Progress{}, os.NewSyscallError("getsockopt", errno)
	case size < uint32(unsafe.Sizeof(info)):
		return Progress{}, errors.ErrUnsupported
	}
	// Ints of the kernel's, 4 bytes on every architecture.
	var pending, unread uint32
	if _, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, fionWrite, uintptr(unsafe.Pointer(&pending))); errno != 0 {
		return Progress{}, os.NewSyscallError("ioctl", errno)
	}
	if _, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, fionRead, uintptr(unsafe.Pointer(&unread))); errno != 0 {
		return Progress{}, os.NewSyscallError("ioctl", errno)
	}
	return Progress{
		Received: uint64(info.rcvNxt),
		Unread:   uint64(unread),
		Acked:    uint64(info.sndUna),
		Pending:  uint64(pending),
		Silence:  -1,
		Probes:   -1,
	}, nil
}
