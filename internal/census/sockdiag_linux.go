package census

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// dump calls f for each TCP socket of this thread's network namespace in these states
// and families, multipath TCP last. See sock_diag(7).
func dump(states uint32, families []family, f func(entry)) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	buf := make([]byte, 1<<16) // The kernel's answers have at most 32 KiB.
	seq := uint32(0)
	for _, protocol := range []uint32{unix.IPPROTO_TCP, unix.IPPROTO_MPTCP} {
		for _, family := range families {
			seq++
			err := unix.Sendto(fd, dumpRequest(seq, family.number, protocol, states), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
			if err == nil {
				err = receiveDump(fd, buf, seq, func(e entry) {
					e.protocol = uint16(protocol)
					f(e)
				})
			}
			if protocol == unix.IPPROTO_MPTCP || family.number == unix.AF_INET6 {
				// The kernel may lack them, and says so in several ways.
				if err == unix.ENOENT || err == unix.EINVAL || err == unix.EOPNOTSUPP {
					err = nil
				}
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// inetDiagReqProtocol is INET_DIAG_REQ_PROTOCOL of the kernel's
// include/uapi/linux/inet_diag.h, for protocols that do not fit into a byte.
const inetDiagReqProtocol = 3

// dumpRequest returns a struct nlmsghdr, a struct inet_diag_req_v2 and, if needed, an
// attribute with the protocol.
func dumpRequest(seq uint32, family uint8, protocol, states uint32) []byte {
	order := binary.NativeEndian
	b := make([]byte, 4, 80) // The length comes last.
	b = order.AppendUint16(b, unix.SOCK_DIAG_BY_FAMILY)
	b = order.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b = order.AppendUint32(b, seq)
	b = order.AppendUint32(b, 0) // The kernel knows the sender.
	b = append(b, family, uint8(min(protocol, 255)), 0, 0)
	b = order.AppendUint32(b, states)
	b = append(b, make([]byte, 48)...) // Any addresses and ports.
	if protocol > 255 {
		b = order.AppendUint16(b, 8)
		b = order.AppendUint16(b, inetDiagReqProtocol)
		b = order.AppendUint32(b, protocol)
	}
	order.PutUint32(b, uint32(len(b)))
	return b
}

// receiveDump receives the answer to the request seq. It listens only to the kernel,
// which is port 0: other privileged programs may send to a netlink socket at any time.
func receiveDump(fd int, buf []byte, seq uint32, f func(entry)) error {
	for {
		n, from, err := unix.Recvfrom(fd, buf, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
			continue
		}
		if done, err := parseDump(buf[:n], seq, f); done || err != nil {
			return err
		}
	}
}

// diagMessageSize is the size of struct inet_diag_msg.
const diagMessageSize = 72

// parseDump parses one datagram of the answer to the request seq, and reports whether
// it ends the answer. It ignores the rest of the answer to another request.
func parseDump(b []byte, seq uint32, f func(entry)) (done bool, err error) {
	order := binary.NativeEndian
	for len(b) >= unix.SizeofNlMsghdr {
		size := order.Uint32(b)
		if size < unix.SizeofNlMsghdr || uint64(size) > uint64(len(b)) {
			return false, fmt.Errorf("sock_diag: a message of %d bytes in %d: %w", size, len(b), unix.EBADMSG)
		}
		kind, of, body := order.Uint16(b[4:]), order.Uint32(b[8:]), b[unix.SizeofNlMsghdr:size]
		b = b[min(len(b), int(size+3)&^3):]
		if of != seq {
			continue
		}
		switch kind {
		case unix.NLMSG_DONE, unix.NLMSG_ERROR:
			if len(body) >= 4 {
				if errno := -int32(order.Uint32(body)); errno != 0 {
					return true, unix.Errno(errno)
				}
			}
			return true, nil
		case unix.SOCK_DIAG_BY_FAMILY:
			if len(body) < diagMessageSize {
				return false, fmt.Errorf("sock_diag: an answer of %d bytes: %w", len(body), unix.EBADMSG)
			}
			if e := parseDiagMessage(body); int(e.state) < len(states) {
				f(e)
			}
		}
	}
	return false, nil
}

// parseDiagMessage parses a struct inet_diag_msg. Addresses and ports are in network
// byte order.
func parseDiagMessage(b []byte) entry {
	address := func(ip, port []byte) netip.AddrPort {
		a := netip.AddrFrom16([16]byte(ip))
		if b[0] == unix.AF_INET {
			a = netip.AddrFrom4([4]byte(ip))
		}
		return netip.AddrPortFrom(a, binary.BigEndian.Uint16(port))
	}
	order := binary.NativeEndian
	return entry{
		state:  b[1],
		local:  address(b[8:24], b[4:6]),
		remote: address(b[24:40], b[6:8]),
		queue:  order.Uint32(b[60:]),
		inode:  order.Uint32(b[68:]),
	}
}
