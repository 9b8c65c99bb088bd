package tcpopt_test

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

func multipathSubjects(t *testing.T) []subject {
	if err := multipathMissing(); err != nil {
		return []subject{{name: "multipath", missing: err}}
	}
	client, server := connectMultipath(t)
	return []subject{
		{name: "multipath", socket: fromConn(t, client), multipath: true},
		{name: "multipath accepted", socket: fromConn(t, server), multipath: true},
	}
}

// multipathMissing returns why this kernel cannot speak multipath TCP.
func multipathMissing() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
	if err != nil {
		return fmt.Errorf("no multipath TCP here: %w", err)
	}
	return unix.Close(fd)
}

func needMultipath(t *testing.T) {
	t.Helper()
	if err := multipathMissing(); err != nil {
		t.Skip(err)
	}
}

// connectMultipath returns both ends of a connection that speaks multipath TCP.
// TCPConn.MultipathTCP does not tell under qemu's user mode.
func connectMultipath(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	needMultipath(t)
	client, server = connect(t, "tcp4", true)
	for _, c := range []*net.TCPConn{client, server} {
		if got := protocol(t, c); got != unix.IPPROTO_MPTCP {
			t.Fatalf("SO_PROTOCOL is %d, want %d", got, unix.IPPROTO_MPTCP)
		}
	}
	return client, server
}

// protocol returns SO_PROTOCOL. TCPConn.MultipathTCP does not tell under qemu's
// user mode, nor of a listener.
func protocol(t *testing.T, c any) int {
	t.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if cerr := rc.Control(func(fd uintptr) {
		n, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
	}); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return n
}

// TestMultipathListener is about what package net listens on by default where the
// program's go.mod says go 1.24 or later.
func TestMultipathListener(t *testing.T) {
	needMultipath(t)
	l := listen(t, "tcp4", true)
	s, err := tcpopt.FromListener(l)
	if err != nil {
		t.Fatal(err)
	}
	before := config(t, s)
	for _, err := range []error{
		s.SetUserTimeout(time.Second),
		s.SetConfig(tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Minute, UserTimeout: time.Second}),
	} {
		wantError(t, "a user timeout", err, "TCP_USER_TIMEOUT", errors.ErrUnsupported)
		if want := "tcpopt: set TCP_USER_TIMEOUT: setsockopt: protocol not available (a multipath TCP socket has none; SetMultipathTCP(false) of net.Dialer or net.ListenConfig gives plain TCP)"; err != nil && err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
		wantSystemCall(t, "a user timeout", err)
	}
	_, err = s.UserTimeout()
	wantError(t, "UserTimeout", err, "TCP_USER_TIMEOUT", errors.ErrUnsupported)
	if after := config(t, s); after != before {
		t.Errorf("config is %+v after refusals, want %+v", after, before)
	}

	// A plain client gets a connection that inherits and has a user timeout.
	want := tcpopt.Config{KeepAlive: tcpopt.On, Idle: 33 * time.Second, Interval: 11 * time.Second, Count: 4}
	if err := s.SetConfig(want); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	as := fromConn(t, accepted)
	want.UserTimeout = tcpopt.Unbounded
	if got := config(t, as); got != want {
		t.Errorf("accepted connection has %+v, want its listener's %+v", got, want)
	}
	if err := as.SetUserTimeout(5 * time.Second); err != nil {
		t.Error(err)
	}
}

// TestProgressFallback has a multipath TCP socket whose peer speaks plain TCP.
func TestProgressFallback(t *testing.T) {
	needMultipath(t)
	l := listen(t, "tcp4", false)
	d := net.Dialer{KeepAlive: -1}
	d.SetMultipathTCP(true)
	c, err := d.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := protocol(t, c); got != unix.IPPROTO_MPTCP {
		t.Errorf("SO_PROTOCOL is %d, want %d", got, unix.IPPROTO_MPTCP)
	}
	s := fromConn(t, c)
	needProgress(t, s)
	if _, err := c.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	until(t, s, "acknowledged", func(p tcpopt.Progress) bool { return p.Acked >= 1000 && p.Pending == 0 })
}

// TestNetFallsBackFromMultipath pins that package net drops the error of a
// Control function on a multipath TCP socket, opens a plain one and calls it
// again: where it fails, Go has changed, and the docs of DialControl and
// ListenControl with it.
func TestNetFallsBackFromMultipath(t *testing.T) {
	const revise = "; if Go has changed, revise \"multipath TCP\" in the doc of "
	plain := full
	plain.UserTimeout = 0
	base := untouched(t)
	for _, tt := range []struct {
		name     string
		config   tcpopt.Config
		calls    int
		protocol int
	}{
		{"user timeout", full, 2, unix.IPPROTO_TCP},
		{"no user timeout", plain, 1, unix.IPPROTO_MPTCP},
	} {
		want := overlay(base, tt.config)
		t.Run("listener/"+tt.name, func(t *testing.T) {
			w := watcher{f: tt.config.ListenControl}
			lc := labtest.ListenConfig(true)
			lc.Control = w.control
			l := listenWith(t, lc, "tcp4")
			if got := protocol(t, l); got != tt.protocol || len(w.sockets) != tt.calls {
				t.Errorf("a listener of protocol %d after %d calls, want %d after %d"+revise+"ListenControl", got, len(w.sockets), tt.protocol, tt.calls)
			}
			for _, multipath := range []bool{false, true} {
				d := net.Dialer{KeepAlive: -1}
				d.SetMultipathTCP(multipath)
				conn, err := d.Dial("tcp4", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				accepted, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer accepted.Close()
				want := want
				if multipath && tt.protocol == unix.IPPROTO_MPTCP {
					want.UserTimeout = 0
				}
				if got := config(t, fromConn(t, accepted)); got != want {
					t.Errorf("accepted connection has %+v, want its listener's %+v (multipath client: %v)", got, want, multipath)
				}
				speaks := unix.IPPROTO_TCP
				if multipath {
					speaks = tt.protocol
				}
				if got := protocol(t, accepted); got != speaks {
					t.Errorf("accepted connection is of protocol %d, want %d (multipath client: %v)", got, speaks, multipath)
				}
			}
		})
		for _, multipath := range []bool{true, false} {
			t.Run(fmt.Sprintf("dialer/%s/multipath server %v", tt.name, multipath), func(t *testing.T) {
				l := listen(t, "tcp4", multipath)
				w := watcher{f: tt.config.DialControl}
				d := net.Dialer{KeepAlive: -1, Control: w.control}
				d.SetMultipathTCP(true)
				conn, err := d.Dial("tcp4", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if got := protocol(t, conn); got != tt.protocol || len(w.sockets) != tt.calls {
					t.Errorf("a connection of protocol %d after %d calls, want %d after %d"+revise+"DialControl", got, len(w.sockets), tt.protocol, tt.calls)
				}
				want := want
				if multipath && tt.protocol == unix.IPPROTO_MPTCP { // On both sides.
					want.UserTimeout = 0
				}
				if got := config(t, fromConn(t, conn)); got != want {
					t.Errorf("connection has %+v, want %+v", got, want)
				}
			})
		}
	}

	// What plain TCP refuses too is not lost.
	t.Run("dialer/refused", func(t *testing.T) {
		w := watcher{f: tcpopt.Config{Idle: -1}.DialControl}
		d := net.Dialer{KeepAlive: -1, Control: w.control}
		d.SetMultipathTCP(true)
		_, err := d.Dial("tcp4", listen(t, "tcp4", true).Addr().String())
		w.wantRefused(t, "dial", err, syscall.EINVAL)
		if len(w.sockets) != 2 {
			t.Errorf("DialControl was called %d times, want 2"+revise+"DialControl", len(w.sockets))
		}
	})
}
