package tcpopt

import (
	"errors"
	"net"
	"slices"
)

// IsDeadPeer reports whether err, of Read or Write on an established connection,
// says that the kernel gave up on a peer that is silent or cannot be reached:
// ETIMEDOUT, what ICMP errors become (EHOSTUNREACH, ENETUNREACH, EHOSTDOWN,
// ENONET, EACCES), and ECONNREFUSED, by which a firewall rejects; on Windows
// their kin.
//
// It is false for a connection that the peer reset, which is alive, for a
// deadline of the caller's, although that is a timeout too, for a closed
// connection, and for an error of Dial. It cannot be asked about io.EOF, which a
// reader may get when a writer was blocked as well: see [Socket.Progress]. A
// connection that speaks multipath TCP dies with ENOTCONN, for which it is false.
func IsDeadPeer(err error) bool {
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	return slices.ContainsFunc(deadPeer, func(e error) bool { return errors.Is(err, e) })
}
