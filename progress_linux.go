package tcpopt

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mptcpInfo is MPTCP_INFO of the kernel's include/uapi/linux/mptcp.h, and tcpClose
// TCP_CLOSE of the kernel's include/net/tcp_states.h.
const (
	mptcpInfo = 1
	tcpClose  = 7
)

func readProgress(fd uintptr) (Progress, error) {
	if speaksMultipath(int(fd)) {
		return Progress{}, fmt.Errorf("multipath TCP counts on each path: %w", errors.ErrUnsupported)
	}
	// x/sys has a getter too, which does not return how much the kernel filled in.
	var info unix.TCPInfo
	const enough = uint32(unsafe.Offsetof(info.Segs_out))
	size := enough
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	switch {
	case errno != 0:
		return Progress{}, os.NewSyscallError("getsockopt", errno)
	case size != enough:
		return Progress{}, fmt.Errorf("no counters before Linux 4.1: %w", errors.ErrUnsupported)
	}
	pending, err := unix.IoctlGetUint32(int(fd), unix.SIOCOUTQ)
	if err != nil {
		return Progress{}, os.NewSyscallError("ioctl", err)
	}
	unread, err := unix.IoctlGetUint32(int(fd), unix.SIOCINQ)
	if err != nil {
		return Progress{}, os.NewSyscallError("ioctl", err)
	}
	return Progress{
		Received: info.Bytes_received,
		Unread:   uint64(unread),
		Acked:    info.Bytes_acked,
		Pending:  uint64(pending),
		Silence:  time.Duration(min(info.Last_data_recv, info.Last_ack_recv)) * time.Millisecond,
		Probes:   int(info.Probes),
		Aborted:  info.State == tcpClose,
	}, nil
}

// speaksMultipath reports whether fd is a multipath TCP socket that has not
// fallen back to plain TCP, after which it has no MPTCP_INFO (since Linux 5.16).
func speaksMultipath(fd int) bool {
	if n, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); n != unix.IPPROTO_MPTCP { // 0 with an error.
		return false
	}
	_, err := unix.GetsockoptInt(fd, unix.SOL_MPTCP, mptcpInfo)
	return err != unix.EOPNOTSUPP
}
