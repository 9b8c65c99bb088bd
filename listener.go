package tcpopt

import (
	"cmp"
	"errors"
	"fmt"
	"net"
)

// NewListener returns a listener whose Accept sets c on each connection of l, on
// every system and whatever l is: from [net.Listen], from socket activation
// ([net.FileListener]), or wrapped already. It sets c after package net has set
// keepalive of its own. Put it below TLS:
//
//	tls.NewListener(tcpopt.NewListener(l, c, nil), tlsConfig)
//
// Accept returns l's connection itself, and never fails because of c. It applies c
// as [Socket.SetSupported] does, so a client that speaks multipath TCP gets all of
// it but the user timeout. If something was refused or left out, Accept first calls
// failed, if that is not nil, with the connection and an error, which matches
// [errors.ErrUnsupported] for what was left out and for a connection that is not TCP.
// Accept waits for failed to return.
//
// If this system refuses c, or supports nothing of it, no connection is accepted:
// Accept returns that error. A c that is zero sets nothing. If l is nil, the error
// matches [syscall.EINVAL].
//
// The result of a [*net.TCPListener] has its methods too: AcceptTCP, which also
// sets c, SetDeadline, File and SyscallConn. Where connections inherit from a
// listener, [Config.ListenControl] costs nothing per connection.
func NewListener(l net.Listener, c Config, failed func(net.Conn, error)) net.Listener {
	asked := c.Supported()
	if asked == (Config{}) {
		asked = c // The error says what is missing.
	}
	s := setter{c: c, failed: failed, refusal: asked.Validate()}
	if err := checkNil(l, l); err != nil {
		s.refusal = err
	}
	if t, ok := l.(*net.TCPListener); ok {
		return &tcpListener{t, s}
	}
	return &anyListener{l, s}
}

type anyListener struct {
	net.Listener
	setter
}

func (l *anyListener) Accept() (net.Conn, error) {
	if l.refusal != nil {
		return nil, l.refusal
	}
	c, err := l.Listener.Accept()
	if err == nil {
		l.set(c)
	}
	return c, err
}

type tcpListener struct {
	*net.TCPListener
	setter
}

func (l *tcpListener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (l *tcpListener) AcceptTCP() (*net.TCPConn, error) {
	if l.refusal != nil {
		return nil, l.refusal
	}
	c, err := l.TCPListener.AcceptTCP()
	if err == nil {
		l.set(c)
	}
	return c, err
}

// A setter is what a listener does with a new connection.
type setter struct {
	c       Config
	failed  func(net.Conn, error)
	refusal error
}

func (s *setter) set(conn net.Conn) {
	sock, err := FromConn(conn)
	var got Config
	if err == nil {
		got, err = sock.SetSupported(s.c)
	}
	if err == nil {
		err = s.c.leftOut(got)
	}
	if err != nil && s.failed != nil {
		s.failed(conn, err)
	}
}

// leftOut names the fields of c that are zero in got.
func (c Config) leftOut(got Config) error {
	var errs []error
	for _, f := range []struct {
		o       *option
		missing bool
	}{
		{&userTimeout, got.UserTimeout != c.UserTimeout},
		{&keepIdle, got.Idle != c.Idle},
		{&keepInterval, got.Interval != c.Interval},
		{&keepCount, got.Count != c.Count},
		{&keepAlive, got.KeepAlive != c.KeepAlive},
	} {
		if f.missing {
			err := f.o.unsupported()
			if f.o.present() {
				err = fmt.Errorf("%s: %w", cmp.Or(f.o.note, "not on this socket"), errors.ErrUnsupported)
			}
			errs = append(errs, &OptionError{"set", f.o.label, err})
		}
	}
	return errors.Join(errs...)
}
