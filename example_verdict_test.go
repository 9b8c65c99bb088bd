//go:build unix

package tcpopt_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
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

// A verdictConn remembers the verdict, which the kernel reports to one Read or Write,
// and lets all later ones fail with it.
type verdictConn struct {
	net.Conn
	verdict atomic.Pointer[verdict]
	told    chan struct{} // closed when there is a verdict
}

func keepVerdict(c net.Conn) *verdictConn { return &verdictConn{Conn: c, told: make(chan struct{})} }

// Verdict returns the verdict, if any, to those whose client drops the causes of
// its errors.
func (c *verdictConn) Verdict() error {
	if v := c.verdict.Load(); v != nil {
		return v
	}
	return nil
}

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
	case tcpopt.IsDeadPeer(err) && c.verdict.CompareAndSwap(nil, &verdict{err}):
		close(c.told)
		return err
	case (errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE)) && aborted(c.Conn):
		// The other of Read and Write is getting this verdict, or a reset.
		select {
		case <-c.told:
		case <-time.After(100 * time.Millisecond):
		}
	}
	return cmp.Or(c.Verdict(), err)
}

func aborted(c net.Conn) bool {
	s, err := tcpopt.FromConn(c)
	if err != nil {
		return false
	}
	p, err := s.Progress()
	return err == nil && p.Aborted
}

// A verdict that was reported before is no timeout, so that nobody reads a third time;
// errors.Is and errors.As find the error within.
type verdict struct{ error }

func (v *verdict) Unwrap() error { return v.error }
func (*verdict) Timeout() bool   { return false }
func (*verdict) Temporary() bool { return false }

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
