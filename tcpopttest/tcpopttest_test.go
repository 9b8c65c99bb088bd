package tcpopttest_test

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/tcpopttest"
)

// TestMain lets the tests wait in parallel, unless -parallel says otherwise.
func TestMain(m *testing.M) {
	flag.Set("test.parallel", "64")
	os.Exit(m.Run())
}

// shortest has the shortest times that a system takes; due is its detection time.
var shortest = tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: time.Second, Count: 1}

const due = 2 * time.Second

// A recorder is a test that records what Silence does to it.
type recorder struct {
	testing.TB
	fatal, skip, log string
	cleanups         int
}

func (r *recorder) Helper()                   {}
func (r *recorder) Fatalf(f string, a ...any) { r.fatal = fmt.Sprintf(f, a...); runtime.Goexit() }
func (r *recorder) Skipf(f string, a ...any)  { r.skip = fmt.Sprintf(f, a...); runtime.Goexit() }
func (r *recorder) Logf(f string, a ...any)   { r.log = fmt.Sprintf(f, a...) }
func (r *recorder) Cleanup(f func())          { r.cleanups++; r.TB.Cleanup(f) }

// record returns what f did to the test that it got.
func record(t *testing.T, f func(testing.TB)) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan bool)
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	return r
}

// A link says how to connect.
type link struct {
	network             string // tcp4, tcp6, or mapped: IPv4 to a listener of IPv6
	swap                bool   // the near end is the accepted one
	multipath, isSecure bool
}

// connect returns both ends of a connection with nothing in flight. Package net leaves
// its keepalive alone.
func connect(t *testing.T, k link) (near, peer net.Conn) {
	t.Helper()
	network, address := k.network, labtest.Loopback(k.network)
	if network == "mapped" {
		network, address = "tcp4", ":0"
	}
	if err := labtest.Missing(network); err != nil {
		t.Skip(err)
	}
	l := labtest.Listen(t, nil, address, k.multipath)
	to := l.Addr().(*net.TCPAddr).AddrPort()
	if k.network == "mapped" {
		to = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), to.Port())
	}
	near = labtest.Dial(t, nil, to.String(), k.multipath)
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	if k.isSecure {
		near, peer = labtest.Secure(t, near, peer)
	}
	if k.swap {
		near, peer = peer, near
	}
	// The answer acknowledges what the near end sent.
	roundTrip(t, near, peer)
	return near, peer
}

// roundTrip sends a byte from a to b and back.
func roundTrip(t *testing.T, a, b net.Conn) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		buf := make([]byte, 1)
		_, err := io.ReadFull(b, buf)
		if err == nil {
			_, err = b.Write(buf)
		}
		done <- err
	}()
	deadline := time.Now().Add(10 * time.Second)
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	if _, err := a.Write([]byte{'r'}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(a, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	a.SetDeadline(time.Time{})
	b.SetDeadline(time.Time{})
}

// hears reports whether anything arrives at c within d.
func hears(t *testing.T, c net.Conn, d time.Duration) bool {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(d))
	defer c.SetReadDeadline(time.Time{})
	_, err := c.Read(make([]byte, 1))
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Read() = %v, want a byte or silence", err)
	}
	return err == nil
}

func setConfig(t *testing.T, c net.Conn, config tcpopt.Config) {
	t.Helper()
	s, err := tcpopt.FromConn(c)
	if err != nil {
		t.Fatal(err)
	}
	switch err := s.SetConfig(config); {
	case errors.Is(err, errors.ErrUnsupported):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

// TestNotSilenced shows that the tests of a silent peer could fail.
func TestNotSilenced(t *testing.T) {
	t.Parallel()
	for _, k := range []link{
		{network: "tcp4"},
		{network: "tcp6"},
	} {
		t.Run(k.network, func(t *testing.T) {
			t.Parallel()
			near, peer := connect(t, k)
			setConfig(t, near, shortest)
			if hears(t, near, 2*due) {
				t.Error("the peer said something")
			}
			roundTrip(t, near, peer)
		})
	}
}

func TestNoTCP(t *testing.T) {
	t.Parallel()
	pipe, other := net.Pipe()
	t.Cleanup(func() { pipe.Close(); other.Close() })
	for _, tt := range []struct {
		name string
		peer net.Conn
		want string
	}{
		{"nil", nil, "nil <nil>"},
		{"pipe", pipe, "does not lead to a TCP socket"},
		{"tls over a pipe", tls.Client(pipe, nil), "does not lead to a TCP socket"},
		{"nil connection", (*net.TCPConn)(nil), "nil *net.TCPConn"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := record(t, func(tb testing.TB) { tcpopttest.Silence(tb, tt.peer) })
			if !strings.Contains(got.fatal, tt.want) || got.skip != "" {
				t.Errorf("fatal %q, skip %q, want fatal %q", got.fatal, got.skip, tt.want)
			}
		})
	}
}

// TestSkips shows that a test never passes if its peer is not silent.
func TestSkips(t *testing.T) {
	t.Parallel()
	_, peer := connect(t, link{network: "tcp4"})
	got := record(t, func(tb testing.TB) { tcpopttest.Silence(tb, peer) })
	switch {
	case got.fatal != "":
		t.Errorf("fatal %q", got.fatal)
	case runtime.GOOS == "linux":
		// Other tests try each way by itself.
		if silent := got.cleanups == 1; silent == (got.skip != "") {
			t.Errorf("skip %q with %d cleanups", got.skip, got.cleanups)
		}
	case got.skip != "tcpopttest: no way to silence a TCP peer without privileges is known on "+runtime.GOOS:
		t.Errorf("skip %q", got.skip)
	}
}
