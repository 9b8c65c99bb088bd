package session

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/examples/verdict"
	"github.com/tcpopt/tcpopt/liveness"
)

// DialContext is for pgx's DialFunc.
func (o Options) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	if o.KeepAlive != (tcpopt.Config{}) {
		d = net.Dialer{KeepAlive: -1, Control: o.KeepAlive.DialControl}
	}
	nc, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: verdict.Keep(nc)}
	if o.Idle != 0 {
		c.idle = &liveness.Monitor{Idle: o.Idle, Dead: func(err error) {
			if !o.OnIdle(o.Idle * time.Duration(c.times.Add(1))) {
				c.end(err)
			} else if c.idle.Start(); c.ended.Load() != nil {
				c.idle.Stop()
			}
		}}
		c.idle.Start()
	}
	return c, nil
}

// A conn can be ended with an error, which its Reads and Writes return from then on.
type conn struct {
	net.Conn
	idle  *liveness.Monitor // may be nil
	times atomic.Int32      // how often idle has fired since the last byte
	ended atomic.Pointer[error]
}

func (c *conn) end(err error) {
	c.ended.CompareAndSwap(nil, &err)
	c.Conn.Close()
}

func (c *conn) Close() error {
	c.end(net.ErrClosed)
	if c.idle != nil {
		c.idle.Stop()
	}
	return nil
}

func (c *conn) Read(b []byte) (int, error)  { return c.result(c.Conn.Read(b)) }
func (c *conn) Write(b []byte) (int, error) { return c.result(c.Conn.Write(b)) }

func (c *conn) result(n int, err error) (int, error) {
	if n > 0 && c.idle != nil {
		c.idle.Touch()
		c.times.Store(0)
	}
	if ended := c.ended.Load(); err != nil && ended != nil {
		err = *ended
	}
	return n, err
}
