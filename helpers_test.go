package tcpopt_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// A subject is a socket that options are tried on.
type subject struct {
	name      string
	socket    tcpopt.Socket
	multipath bool
	missing   error // why there is none here
}

// run runs f as a test of its own.
func (s subject) run(t *testing.T, f func(*testing.T)) {
	t.Run(s.name, func(t *testing.T) {
		if s.missing != nil {
			t.Skip(s.missing)
		}
		f(t)
	})
}

// lackedBy reports whether s has no such option.
func (o tried[T, F]) lackedBy(s subject) bool {
	return !o.row.Settable() || s.multipath && o.plain
}

// subjects returns one socket of each kind that a program may hold.
func subjects(t *testing.T) []subject {
	t.Helper()
	needSockets(t)
	var all []subject
	for _, network := range []string{"tcp4", "tcp6"} {
		if err := labtest.Missing(network); err != nil {
			all = append(all, subject{name: network, missing: err})
			continue
		}
		client, server := connect(t, network, false)
		all = append(all,
			subject{name: network, socket: fromConn(t, client)},
			subject{name: network + " accepted", socket: fromConn(t, server)},
			subject{name: network + " before connect", socket: unconnected(t, network)})
	}
	client, _ := connectTLS(t)
	all = append(all, subject{name: "tls", socket: fromConn(t, client)})
	return append(all, multipathSubjects(t)...)
}

// needSockets skips where package net has no sockets of the system.
func needSockets(t testing.TB) {
	t.Helper()
	if !tcpopt.KeepAliveRow.Settable() {
		t.Skipf("no socket options on %s", runtime.GOOS)
	}
}

// connect returns both ends of a connection on which package net has left
// keepalive alone.
func connect(t testing.TB, network string, multipath bool) (client, server *net.TCPConn) {
	t.Helper()
	needSockets(t)
	return labtest.Pair(t, network, multipath)
}

// connectTLS returns both ends of a TLS connection.
func connectTLS(t testing.TB) (client, server *tls.Conn) {
	t.Helper()
	c, s := connect(t, "tcp4", false)
	return labtest.Secure(t, c, s)
}

func listen(t testing.TB, network string, multipath bool) *net.TCPListener {
	t.Helper()
	return listenWith(t, labtest.ListenConfig(multipath), network)
}

func listenWith(t testing.TB, lc *net.ListenConfig, network string) *net.TCPListener {
	t.Helper()
	needSockets(t)
	l, err := lc.Listen(context.Background(), network, labtest.Loopback(network))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// unconnected returns a socket as a Control function gets it.
func unconnected(t testing.TB, network string) tcpopt.Socket {
	t.Helper()
	needSockets(t)
	return tcpopt.FromRawConn(newSocket(t, network))
}

func fromConn(t testing.TB, c net.Conn) tcpopt.Socket {
	t.Helper()
	s, err := tcpopt.FromConn(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func config(t testing.TB, s tcpopt.Socket) tcpopt.Config {
	t.Helper()
	c, err := s.Config()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantError checks that err is an *OptionError for label and is target, and none
// of the others that callers ask for.
func wantError(t testing.TB, what string, err error, label string, target error) {
	t.Helper()
	var oe *tcpopt.OptionError
	if !errors.Is(err, target) || !errors.As(err, &oe) || oe.Option != label {
		t.Errorf("%s = %v, want an *OptionError for %s that is %q", what, err, label, target)
	}
	for _, other := range []error{errors.ErrUnsupported, net.ErrClosed, syscall.EINVAL, context.Canceled} {
		if other != target && errors.Is(err, other) {
			t.Errorf("%s = %v, which is %q as well as %q", what, err, other, target)
		}
	}
}

// wantSystemCall checks that err names the system call between option and errno.
func wantSystemCall(t testing.TB, what string, err error) {
	t.Helper()
	if se := (*os.SyscallError)(nil); !errors.As(err, &se) || se.Syscall == "" {
		t.Errorf("%s = %v, without the system call", what, err)
	}
}

// conn is a connection of somebody else's make.
type conn struct {
	net.Conn
	rc syscall.RawConn
}

func (c conn) SyscallConn() (syscall.RawConn, error) { return c.rc, nil }

// noControl is a RawConn that must not be called.
type noControl struct{ syscall.RawConn }

// unixListener returns a Unix listener, or nil where there is none.
func unixListener(t *testing.T) *net.UnixListener {
	t.Helper()
	// Not in t.TempDir, which Wine 8.0 cannot remove. The listener removes it.
	l, err := net.Listen("unix", filepath.Join(os.TempDir(), fmt.Sprintf("tcpopt%d", os.Getpid())))
	if err != nil {
		return nil
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.UnixListener)
}
