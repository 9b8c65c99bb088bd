package tcpopt

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// privateTCPInfo is TCP_INFO of bsd/netinet/tcp_private.h. No public option says
// how much is in flight, without which a byte that was acknowledged looks like
// one that was only sent.
const privateTCPInfo = 0x200

// privateInfo is the start of struct tcp_info of that header, which is packed to
// 4 bytes and says that fields are added at its end only. It has the size of
// unix.TCPConnectionInfo, in which x/sys can fetch it.
type privateInfo struct {
	_             [64]byte
	inBuffer      uint32 // tcpi_snd_sbbytes, written and not acknowledged
	_             [8]byte
	sent          uint64At4 // tcpi_txbytes, retransmissions included
	retransmitted uint64At4 // tcpi_txretransmitbytes
	inFlight      uint64At4 // tcpi_txunacked, SYN and FIN included
	_             [12]byte
}

// uint64At4 is a little-endian number that is aligned to 4 bytes.
type uint64At4 [2]uint32

func (n uint64At4) value() uint64 { return uint64(n[1])<<32 | uint64(n[0]) }

// fionRead is FIONREAD of sys/filio.h: _IOR('f', 127, int).
const fionRead = 0x4004667f

// tcpsClosed is TCPS_CLOSED of bsd/netinet/tcp_fsm.h. A dropped connection still
// answers, in that state (tcp_close of bsd/netinet/tcp_subr.c).
const tcpsClosed = 0

func readProgress(fd uintptr) (Progress, error) {
	private, err := unix.GetsockoptTCPConnectionInfo(int(fd), unix.IPPROTO_TCP, privateTCPInfo)
	if err != nil {
		return dropped(err)
	}
	public, err := unix.GetsockoptTCPConnectionInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_CONNECTION_INFO)
	if err != nil {
		return dropped(err)
	}
	info := (*privateInfo)(unsafe.Pointer(private))
	sent, inFlight := info.sent.value(), info.inFlight.value()
	// The private layout may change. These hold only where it has not.
	if sent > public.Txbytes || public.State != tcpsClosed && inFlight > uint64(info.inBuffer)+2 {
		return Progress{}, errors.ErrUnsupported
	}
	unread, err := unix.IoctlGetInt(int(fd), fionRead)
	if err != nil {
		return Progress{}, os.NewSyscallError("ioctl", err)
	}
	// The kernel counts as retransmitted a whole segment that begins with sent
	// bytes and goes on with new ones, and a window probe not at all (tcp_output),
	// so that Acked may fall back. It grows by nothing but acknowledgments.
	unacked := info.retransmitted.value() + inFlight
	return Progress{
		Received: public.Rxbytes, // With duplicates (tcp_input).
		Unread:   uint64(unread),
		Acked:    max(sent, unacked) - unacked,
		Pending:  uint64(info.inBuffer),
		Silence:  -1,
		Probes:   -1,
		Aborted:  public.State == tcpsClosed,
	}, nil
}

// dropped is about a connection of which the kernel has nothing left
// (tcp_ctloutput of bsd/netinet/tcp_usrreq.c).
func dropped(err error) (Progress, error) {
	if err == unix.ECONNRESET {
		return Progress{Silence: -1, Probes: -1, Aborted: true}, nil
	}
	return Progress{}, os.NewSyscallError("getsockopt", err)
}
