// Package labtest has what the tests of several packages need: hosts and cables of
// package netlab, connections over them and on this machine, and programs that are the
// test binary itself.
//
//	func TestMain(m *testing.M) { labtest.Main(m, 64) }
//
//	var echo = labtest.NewProgram("echo", func() int { ... })
//
//	func TestFrozen(t *testing.T) {
//		l := labtest.NewLab(t)
//		p := labtest.Start(t, echo.Command(l.Far.IPv4.String()), l.Far.Start)
//		near := labtest.Dial(t, l.Near, p.Line(t), false)
//		...
package labtest

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/tcpopt/tcpopt/internal/netlab"
)

// Need fails t if err is not nil. If err says that the machine cannot do what t needs,
// it skips t instead, unless the environment has TCPOPT_NETLAB=required.
func Need(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, errors.ErrUnsupported) && os.Getenv("TCPOPT_NETLAB") != "required":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// NewHost returns a host that is closed when t ends.
func NewHost(t testing.TB) *netlab.Host {
	t.Helper()
	h, err := netlab.NewHost()
	Need(t, err)
	t.Cleanup(h.Close)
	return h
}

// NewCable returns a cable that is closed when t ends.
func NewCable(t testing.TB, a, b *netlab.Host) *netlab.Cable {
	t.Helper()
	c, err := netlab.NewCable(a, b)
	Need(t, err)
	t.Cleanup(c.Close)
	return c
}

// A Lab is two hosts and a cable.
type Lab struct {
	Near, Far *netlab.Host
	Cable     *netlab.Cable
}

// NewLab returns a lab that is closed when t ends.
func NewLab(t testing.TB) Lab {
	t.Helper()
	near, far := NewHost(t), NewHost(t)
	return Lab{near, far, NewCable(t, near, far)}
}

// Connect returns both ends of a connection from Near to Far, over IPv4.
func (l Lab) Connect(t testing.TB, multipath bool) (near, far *net.TCPConn) {
	t.Helper()
	return l.ConnectTo(t, l.Far.IPv4, multipath)
}

// ConnectTo returns both ends of a connection from Near to an address of Far.
func (l Lab) ConnectTo(t testing.TB, ip netip.Addr, multipath bool) (near, far *net.TCPConn) {
	t.Helper()
	return connect(t, l.Near, Listen(t, l.Far, netip.AddrPortFrom(ip, 0).String(), multipath), multipath)
}
