// Package tcpopttest makes the far end of a TCP connection go silent in a plain go
// test. A test of keepalive, a user timeout or a heartbeat needs that: over loopback
// the peer's kernel acknowledges every probe, and a connection stays alive whatever its
// options are.
//
//	func TestDeadPeer(t *testing.T) {
//		conn, peer := connect(t) // the code under test sets keepalive on conn
//		tcpopttest.Silence(t, peer)
//		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
//		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
//			t.Fatal(err)
//		}
//	}
//
// Use the shortest timers: with an idle time and an interval of 1 s and a count of 1, a
// silent peer is noticed in 2 s. Such tests only wait, so run more of them in parallel
// than there are processors: see the flag -parallel of go test. Run each once without
// [Silence], to see it fail.
//
// # How
//
// Silence changes only the peer's own socket. It needs no firewall, no network
// namespace and no privileges. A way is known only on Linux, which has two.
//
// The first is a TCP MD5 signature (RFC 2385; TCP_MD5SIG, tcp(7)) that only the peer
// uses. Its kernel then drops the near end's segments, since they are not signed, and
// the near end's kernel drops the peer's, since they are. Neither side answers with an
// ACK or a RST.
//
// The second, where the kernel has no MD5 signatures or FIPS mode forbids them, is a
// socket filter that accepts nothing (SO_ATTACH_FILTER, socket(7)). It makes the peer
// deaf but not mute: the peer acknowledges nothing that the near end sends, but what it
// writes still arrives, and so does its FIN. The test's log says so. Some kernels
// require CAP_NET_ADMIN.
//
// # Limits
//
// Silence skips the test on other systems and where Linux refuses both ways: under
// qemu's user mode, in gVisor, and on a multipath TCP socket. On Linux, in a program
// whose go.mod says go 1.24 or later, listeners of package net speak multipath TCP
// unless [net.ListenConfig] says no. A connection from a plain [net.Dialer] is still
// plain TCP at both ends.
//
// The peer must be in the test's own process. With a [net/http/httptest.Server], it is
// the [net.Conn] that the functions ConnContext and ConnState of its Config get.
//
// Only the network is silent. The peer's program still runs, its writes fill its
// send buffer, and its own keepalive or user timeout may find the near end dead.
//
// Linux does not probe a connection with unacknowledged data, so a test of keepalive
// must not leave any. The kernel may delay an ACK by 40 ms while the peer's program has
// not read the data: let it read first, then silence it.
package tcpopttest

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/deaf"
)

// Silence makes peer, the far end of the connection under test, deaf and mute until tb
// and its subtests are complete. What the near end sends gets neither an ACK nor a RST,
// and what peer's program writes does not arrive. Both ends can still read what arrived
// before. Silence first acknowledges what peer's program has read.
//
// peer is a [*net.TCPConn] or anything that [tcpopt.FromConn] takes, such as the
// server's [*crypto/tls.Conn]. If it is something else, closed or no longer connected,
// Silence ends the test with tb.Fatal. If there is no way to silence it, Silence ends
// the test with tb.Skip and the reason. See the package documentation for both, and for
// what differs without MD5 signatures. Like Fatal and Skip, Silence must be called from
// the test's goroutine.
//
// When tb is complete, peer hears and speaks again unless it is closed by then, and the
// kernels retransmit what was written meanwhile. So a subtest can be a network failure
// that passes. Silencing a silent peer changes nothing; the tb of the first call
// decides when the silence ends.
//
// A connection that is closed while silent, for example by defer, sends a FIN that
// nobody acknowledges. The kernel keeps both sockets until it gives up retransmitting,
// after about 105 s by default. This is harmless. To end them at once, close them in a
// function given to tb.Cleanup before the call of Silence: it runs after the silence
// has ended.
//
// A peer with its own TCP MD5 key, or its own socket filter where Silence needs one,
// cannot be silenced: Silence ends the test with tb.Fatal. The key is gone then, since
// only an attempt to remove it shows whether a socket has one.
func Silence(tb testing.TB, peer net.Conn) {
	tb.Helper()
	silence(tb, peer)
}

// silence silences peer in the first of ways that works, or in any way.
func silence(tb testing.TB, peer net.Conn, ways ...deaf.Way) {
	tb.Helper()
	rc, err := rawConn(peer)
	if err != nil {
		tb.Fatalf("tcpopttest: silence: %v", err)
	}
	undo, warning, err := deaf.Silence(rc, ways...)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		tb.Skipf("tcpopttest: %v", err)
	case err != nil:
		tb.Fatalf("tcpopttest: silence: %v", err)
	}
	if warning != "" {
		tb.Logf("tcpopttest: %s", warning)
	}
	if undo != nil {
		tb.Cleanup(undo)
	}
}

// rawConn unwraps c, which FromConn has found to lead to a TCP socket.
func rawConn(c net.Conn) (syscall.RawConn, error) {
	if _, err := tcpopt.FromConn(c); err != nil {
		return nil, err
	}
	for {
		if t, ok := c.(*net.TCPConn); ok {
			return t.SyscallConn()
		}
		n, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c.(syscall.Conn).SyscallConn()
		}
		c = n.NetConn()
	}
}
