// Package verdict has a connection that keeps the kernel's verdict for libraries
// that read again after a timeout, and for those that drop the causes of their
// errors. Copy it: all code below Of is the example of tcpopt.IsDeadPeer.
package verdict

import (
	"cmp"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tcpopt/tcpopt"
)

// Keep returns c as a connection that remembers the verdict.
func Keep(c net.Conn) net.Conn { return keepVerdict(c) }

// Of returns the verdict on c, a connection of Keep, or nil if there is none yet.
func Of(c net.Conn) error { return c.(*verdictConn).Verdict() }

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
