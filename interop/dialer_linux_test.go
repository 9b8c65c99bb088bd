package interop

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// The tests wait for timers most of the time.
func TestMain(m *testing.M) { labtest.Main(m, 16) }

// due is within what a dialer's connections notice a dead peer.
const due = 3 * time.Second

// A dialer dials from a host, and counts what its connections are asked after
// the verdict.
type dialer struct {
	from *netlab.Host
	keep bool // over the connection of the example

	mu    sync.Mutex
	conns []net.Conn
	after int
}

func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	config, err := tcpopt.Within(due)
	if err != nil {
		return nil, err
	}
	nd := net.Dialer{KeepAlive: -1, Control: config.DialControl}
	var c net.Conn
	err = d.from.Do(func() (err error) {
		c, err = nd.DialContext(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, err
	}
	c = &countedConn{TCPConn: c.(*net.TCPConn), dialer: d}
	if d.keep {
		c = keepVerdict(c)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns = append(d.conns, c)
	return c, nil
}

// first returns the first connection.
func (d *dialer) first() net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conns[0]
}

// stopped fails the test if there was no end to reading and writing.
func (d *dialer) stopped(t *testing.T) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	t.Logf("%d calls of Read and Write after the verdict", d.after)
	if d.after > 5 {
		t.Errorf("%d calls of Read and Write after the verdict, want at most 5", d.after)
	}
}

// A countedConn has every method of what is in it, for libraries that look.
type countedConn struct {
	*net.TCPConn
	dialer *dialer
	dead   bool
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.count(err)
	return n, err
}

func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	c.count(err)
	return n, err
}

func (c *countedConn) count(err error) {
	c.dialer.mu.Lock()
	defer c.dialer.mu.Unlock()
	if c.dead {
		c.dialer.after++
	}
	c.dead = c.dead || tcpopt.IsDeadPeer(err)
}
