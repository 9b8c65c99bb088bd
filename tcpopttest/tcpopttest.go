// Package tcpopttest makes the far end of a TCP connection go silent in a plain
// go test, so that a test of keepalive, of a user timeout or of a heartbeat is a
// test at all: over loopback the peer's kernel acknowledges every probe, and a
// connection stays alive whatever its options are.
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
// Use the shortest timers: with an idle time and an interval of 1 s and a count
// of 1 a silent peer is noticed in 2 s. Such tests only wait and can run side by
// side, more of them at once than go test has processors for: see its -parallel
// flag. Run each without [Silence] once, to see it fail.
//
// # How
//
// Nothing outside the peer's own socket is touched: no firewall, no network
// namespace, no privileges. Linux, the only system where a way is known, has two.
//
// A TCP MD5 signature (RFC 2385; TCP_MD5SIG, tcp(7)) that only the peer has
// to use. Its kernel then drops the near end's segments, for they are not signed,
// and the near end's kernel drops the peer's, for they are. Neither side answers
// the other by an ACK or a RST.
//
// Where the kernel has no MD5 signatures, or FIPS mode forbids them, a socket
// filter that accepts nothing (SO_ATTACH_FILTER, socket(7)). It makes the peer
// deaf but not mute: nothing that the near end sends is acknowledged, while what
// the peer writes, its FIN too, still arrives. The test's log says so. Some
// kernels ask for CAP_NET_ADMIN.
//
// # Limits
//
// The test is skipped on other systems and where Linux refuses both ways: under
// qemu's user mode, in gVisor, and on a multipath TCP socket. On Linux, in a
// program whose go.mod says go 1.24 or later, listeners of package net speak
// multipath TCP unless [net.ListenConfig] says no, but a connection from a plain
// [net.Dialer] is plain TCP at both ends.
//
// The peer must be in the test's own process. With a [net/http/httptest.Server]
// it is the [net.Conn] that the ConnContext and ConnState functions of its
// Config get.
//
// Only the network is silent. The peer's program still runs, its writes fill its
// send buffer, and its own keepalive or user timeout may find the near end dead.
//
// Linux does not probe a connection that has unacknowledged data, so a test of
// keepalive must not leave any. An ACK may be delayed by 40 ms while the peer's
// program has not read the data: let it read first, then silence it.
package tcpopttest

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/deaf"
)

// Silence makes peer, the far end's socket of the connection under test, deaf
// and mute until tb and its subtests are complete: what the near end sends gets
// neither an ACK nor a RST, and what peer's program writes does not arrive. What
// had arrived before, at either end, can still be read, and what peer's program
// has read is acknowledged first.
//
// peer is a [*net.TCPConn] or anything that [tcpopt.FromConn] takes, such as the
// server's [*crypto/tls.Conn]. If it is something else, closed or no longer
// connected, Silence ends the test with tb.Fatal. Where there is no way to
// silence it, it ends the test with tb.Skip and the reason. See the package
// documentation for both, and for what is different without MD5 signatures. As
// they do, it must be called from the goroutine of the test.
//
// When tb is complete, and unless peer is closed by then, it hears and speaks
// again, and what was written meanwhile is retransmitted. So a subtest can be a
// network failure that passes. Silencing a silent peer changes nothing; the
// first call's tb decides when it ends.
//
// A connection that is closed while silent, by defer for example, sends a FIN
// that nobody acknowledges, and the kernel keeps both sockets until it gives up
// retransmitting, after about 105 s by default. This is harmless; a function
// given to tb.Cleanup before the call of Silence closes them after the peer is
// healed, and then they end at once.
//
// A peer that has a TCP MD5 key of its own, or a socket filter where that is the
// way, cannot be silenced: Silence ends the test with tb.Fatal. The key is gone
// then, since a kernel can only be asked for it by an attempt to remove it.
func Silence(tb testing.TB, peer net.Conn) {
	tb.Helper()
	silence(tb, peer)
}

// silence silences in the first of ways that is not refused, or in any.
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
