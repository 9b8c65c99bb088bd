package tcpopt_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
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

// TestMultipathListener is about what package net listens on by default.
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
		s.SetConfig(tcpopt.Config{Enable: true, Idle: time.Minute, UserTimeout: time.Second}),
	} {
		wantError(t, "a user timeout", err, "TCP_USER_TIMEOUT", errors.ErrUnsupported)
		if want := "tcpopt: set TCP_USER_TIMEOUT: setsockopt: protocol not available (a multipath TCP socket has none; net.ListenConfig.SetMultipathTCP(false) gives plain TCP)"; err != nil && err.Error() != want {
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
	want := tcpopt.Config{Enable: true, Idle: 33 * time.Second, Interval: 11 * time.Second, Count: 4}
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
	if got := config(t, as); got != want {
		t.Errorf("accepted connection has %+v, want its listener's %+v", got, want)
	}
	if err := as.SetUserTimeout(5 * time.Second); err != nil {
		t.Error(err)
	}
}

// TestRefusedChangesNothing looks at sockets that tcpopt itself refuses to read.
func TestRefusedChangesNothing(t *testing.T) {
	udp := newSocket(t, "udp4").(rawFD)
	unixPair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(unixPair[1])
	defer unix.Close(unixPair[0])
	closed, _ := connect(t, "tcp4", false)
	still, err := closed.File() // The same socket, which stays open.
	if err != nil {
		t.Fatal(err)
	}
	defer still.Close()
	closedSocket := fromConn(t, closed)
	closed.Close()

	for _, tt := range []struct {
		name   string
		socket tcpopt.Socket
		fd     int
		want   error
	}{
		{"udp", tcpopt.FromRawConn(udp), int(udp), errors.ErrUnsupported},
		{"unix", tcpopt.FromRawConn(rawFD(unixPair[0])), unixPair[0], errors.ErrUnsupported},
		{"closed", closedSocket, int(still.Fd()), net.ErrClosed},
	} {
		before := rawOptions(tt.fd)
		for _, c := range []tcpopt.Config{{Enable: true}, full} {
			if err := tt.socket.SetConfig(c); !errors.Is(err, tt.want) {
				t.Errorf("%s: SetConfig(%+v) = %v, want %v", tt.name, c, err, tt.want)
			}
		}
		if err := tt.socket.SetKeepAlive(true); !errors.Is(err, tt.want) {
			t.Errorf("%s: SetKeepAlive = %v, want %v", tt.name, err, tt.want)
		}
		if after := rawOptions(tt.fd); after != before {
			t.Errorf("%s: options are %v, want %v", tt.name, after, before)
		}
	}
}

// rawOptions reads the five options without tcpopt; one that is refused is -1.
func rawOptions(fd int) (all [5]int) {
	for i, o := range [...]struct{ level, name int }{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT},
	} {
		n, err := unix.GetsockoptInt(fd, o.level, o.name)
		if err != nil {
			n = -1
		}
		all[i] = n
	}
	return all
}

// TestRawOptions compares what tcpopt reads with what the kernel has.
func TestRawOptions(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	if err := fromConn(t, client).SetConfig(full); err != nil {
		t.Fatal(err)
	}
	rc, err := client.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	rc.Control(func(fd uintptr) {
		if got, want := rawOptions(int(fd)), [...]int{1, 33, 11, 4, 44000}; got != want {
			t.Errorf("the kernel has %v, want %v", got, want)
		}
	})
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
