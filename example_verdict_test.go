//go:build unix

package tcpopt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/tcpopt/tcpopt"
)

// A client that takes every timeout for its own deadline reads again, and hides
// the verdict. A connection that remembers it goes where the client dials.
func ExampleIsDeadPeer() {
	plain := client{DialContext: dialVanished}
	err := plain.Receive()
	fmt.Println(tcpopt.IsDeadPeer(err), err)

	keeps := client{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dialVanished(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return keepVerdict(c), nil
	}}
	err = keeps.Receive()
	fmt.Println(tcpopt.IsDeadPeer(err), err)
	// Output:
	// false EOF
	// true read tcp: read: connection timed out
}

// A verdictConn remembers the verdict that the kernel tells one Read or Write.
type verdictConn struct {
	net.Conn
	once    sync.Once
	told    chan struct{} // closed when there is a verdict
	verdict verdict
}

func keepVerdict(c net.Conn) *verdictConn { return &verdictConn{Conn: c, told: make(chan struct{})} }

func (c *verdictConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, c.judge(err)
}

func (c *verdictConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, c.judge(err)
}

func (c *verdictConn) judge(err error) error {
	switch {
	case err == nil:
		return nil
	case tcpopt.IsDeadPeer(err):
		c.once.Do(func() {
			c.verdict = verdict{err}
			close(c.told)
		})
	case (errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE)) && aborted(c.Conn):
		// The other of Read and Write is being told, this one or of a reset.
		select {
		case <-c.told:
		case <-time.After(100 * time.Millisecond):
		}
	}
	select {
	case <-c.told:
		return c.verdict
	default:
		return err
	}
}

func aborted(c net.Conn) bool {
	s, err := tcpopt.FromConn(c)
	if err != nil {
		return false
	}
	p, err := s.Progress()
	return err == nil && p.Aborted
}

// A verdict is no timeout, so that nobody reads again for it; the error within is
// found by errors.Is and errors.As.
type verdict struct{ error }

func (v verdict) Unwrap() error { return v.error }
func (verdict) Timeout() bool   { return false }
func (verdict) Temporary() bool { return false }

// A client is what several libraries are.
type client struct {
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

func (c client) Receive() error {
	conn, err := c.DialContext(context.Background(), "tcp", "192.0.2.1:80")
	if err != nil {
		return err
	}
	for buf := make([]byte, 512); ; {
		_, err := conn.Read(buf)
		if e := net.Error(nil); errors.As(err, &e) && e.Timeout() {
			continue // It means to look whether it was told to stop.
		}
		if err != nil {
			return err
		}
	}
}

// dialVanished returns a connection whose peer is gone.
func dialVanished(context.Context, string, string) (net.Conn, error) { return &vanished{}, nil }

type vanished struct {
	net.Conn
	told bool
}

func (c *vanished) Read([]byte) (int, error) {
	if c.told {
		return 0, io.EOF
	}
	c.told = true
	return 0, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ETIMEDOUT)}
}
