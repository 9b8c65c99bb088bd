package interop

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/proxy"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// TestSOCKS dials through a proxy that falls silent after accepting. The kernel's
// verdict is on the proxy; no peer was ever connected.
func TestSOCKS(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	server := labtest.Listen(t, l.Far, netip.AddrPortFrom(l.Far.IPv4, 0).String(), false)
	socks, err := proxy.SOCKS5("tcp", server.Addr().String(), nil, &cutting{l.Near, l.Cable})
	if err != nil {
		t.Fatal(err)
	}
	_, err = socks.Dial("tcp", "192.0.2.1:80")
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "socks connect" || !errors.Is(err, syscall.ETIMEDOUT) {
		t.Fatalf("%v, want ETIMEDOUT of socks connect", err)
	}
	verdict := &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ETIMEDOUT)}
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{err, false},
		{errors.Join(err, io.EOF), false},
		{errors.Join(io.EOF, err), false},
		{errors.Join(err, verdict), true},
		{errors.Join(verdict, err), true},
	} {
		if is := tcpopt.IsDeadPeer(tt.err); is != tt.want {
			t.Errorf("IsDeadPeer(%v) = %v, want %v", tt.err, is, tt.want)
		}
	}
}

// A cutting dialer dials from a host, and cuts the cable behind it.
type cutting struct {
	from  *netlab.Host
	cable *netlab.Cable
}

func (d *cutting) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d *cutting) DialContext(ctx context.Context, network, address string) (c net.Conn, err error) {
	config, err := tcpopt.Within(3 * time.Second)
	if err != nil {
		return nil, err
	}
	nd := net.Dialer{KeepAlive: -1, Control: config.DialControl}
	err = d.from.Do(func() (err error) {
		c, err = nd.DialContext(ctx, network, address)
		return err
	})
	return c, errors.Join(err, d.cable.Cut())
}
