package tcpopt

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// sioTCPInfo is SIO_TCP_INFO of mstcpip.h, _WSAIORW(IOC_VENDOR, 39), since
// Windows 10 version 1703. x/sys has neither it nor its answer.
const sioTCPInfo = 0xd8000027

// tcpInfoV0 is TCP_INFO_v0 of mstcpip.h. Its 64-bit fields are at multiples of
// 8, so that it is the same on 386, where Go aligns them to 4.
type tcpInfoV0 struct {
	state         uint32
	_             uint32 // Mss
	_             uint64 // ConnectionTimeMs
	_             [4]byte
	_             [2]uint32 // RttUs, MinRttUs
	bytesInFlight uint32
	_             [4]uint32 // Cwnd, SndWnd, RcvWnd, RcvBuf
	bytesOut      uint64
	bytesIn       uint64
	_             uint32 // BytesReordered
	bytesRetrans  uint32
	_             [4]uint32 // FastRetrans, DupAcksIn, TimeoutEpisodes, SynRetrans
}

// fionRead is FIONREAD of winsock2.h: _IOR('f', 127, u_long).
const fionRead = 0x4004667f

// tcpStateClosed is TCPSTATE_CLOSED of mstcpip.h.
const tcpStateClosed = 0

func readProgress(fd uintptr) (Progress, error) {
	var version, size uint32
	var info tcpInfoV0
	err := windows.WSAIoctl(windows.Handle(fd), sioTCPInfo,
		(*byte)(unsafe.Pointer(&version)), uint32(unsafe.Sizeof(version)),
		(*byte)(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)), &size, nil, 0)
	switch {
	case err != nil:
		return Progress{}, os.NewSyscallError("wsaioctl", err)
	case size < uint32(unsafe.Sizeof(info)):
		return Progress{}, errors.ErrUnsupported
	}
	var unread uint32
	if err := windows.WSAIoctl(windows.Handle(fd), fionRead, nil, 0,
		(*byte)(unsafe.Pointer(&unread)), uint32(unsafe.Sizeof(unread)), &size, nil, 0); err != nil {
		return Progress{}, os.NewSyscallError("wsaioctl", err)
	}
	// Nothing counts what was acknowledged, and the documentation does not say
	// whether BytesOut includes retransmissions. Taking them off is right if it
	// does; if not, Acked falls behind, and grows by nothing but acknowledgments
	// all the same, except once in 4 GiB of retransmissions, whose counter wraps.
	// What is written and not yet sent is not reported.
	inFlight := uint64(info.bytesInFlight)
	unacked := uint64(info.bytesRetrans) + inFlight
	return Progress{
		Received: info.bytesIn,
		Unread:   uint64(unread),
		Acked:    max(info.bytesOut, unacked) - unacked,
		Pending:  inFlight,
		Silence:  -1,
		Probes:   -1,
		Aborted:  info.state == tcpStateClosed,
	}, nil
}
