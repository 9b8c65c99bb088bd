package tcpopt

import "time"

// Progress is what the kernel has counted on a connection: is anything moving?
// Its counters show whether a peer is slow or dead, where a timer alone cannot. They
// are for comparing two looks at the same connection. A counter that grew proves
// life; one that did not proves nothing, since some kernels leave it at zero. On
// FreeBSD a Received that fell has wrapped, and proves life as well.
//
// The counters are about the next hop: behind a proxy they are about the proxy.
type Progress struct {
	Received uint64        // bytes received, whether they were read or not
	Unread   uint64        // bytes received that this program has yet to read
	Acked    uint64        // bytes of ours that the peer's kernel acknowledged
	Pending  uint64        // bytes written and not acknowledged yet
	Silence  time.Duration // since anything arrived from the peer, to the millisecond; negative if the OS does not report it
	Probes   int           // keepalive and window probes sent since then and unanswered; -1 if the OS does not report it
	Aborted  bool          // the connection is over: given up by the kernel, reset, or closed by both ends
}

// Progress returns the kernel's counters: TCP_INFO, SIOCINQ and SIOCOUTQ on Linux
// 4.1 and later, TCP_CONNECTION_INFO on macOS and iOS, TCP_INFO on FreeBSD,
// SIO_TCP_INFO on Windows 10 version 1703 and later, and FIONREAD on these three.
// On other systems and on a connection that speaks multipath TCP, whose counters
// would be those of one path, the error matches [errors.ErrUnsupported].
//
// Linux counts the SYN and the FIN as a byte each. FreeBSD has sequence numbers
// instead, which start anywhere and return to zero every 4 GiB. On macOS and
// Windows Acked may fall back a little before it grows again, and on Windows
// Pending is only what was sent. macOS counts from a structure that Apple does not
// promise, and allocates. On FreeBSD 13.0, whose TCP was run, Received counts, Acked
// stays at zero, and Unread and Pending are right; of macOS and Windows nothing was
// seen on a running system.
//
// When a reader and a writer are blocked on a connection that the kernel gives up,
// one gets the error and the other io.EOF, as if the peer had closed: Aborted says
// which it was. It is also true once both ends have closed their side and
// acknowledged that. Before a connection is established none of this means anything.
func (s Socket) Progress() (Progress, error) {
	var v visit
	v.add(&tcpInfo, 0, nil)
	err := s.do(&v)
	return v.progress, err
}
