package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/tcpopt/tcpopt/internal/deaf"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// life is how long both peers of a scene answer before the cut.
const life = time.Second

// A scene is where connections are, from here to there.
type scene struct {
	about, event string
	here, there  func(func() error) error
	address      netip.Addr // there
	cut          func(peers [2]*net.TCPConn) error
}

// newLab is of two hosts and a cable, which end with this process.
func newLab() (*scene, error) {
	a, err := netlab.NewHost()
	if err != nil {
		return nil, err
	}
	b, err := netlab.NewHost()
	if err != nil {
		return nil, err
	}
	cable, err := netlab.NewCable(a, b)
	if err != nil {
		return nil, err
	}
	return &scene{
		about:   "Two hosts in a private network, a cable between them and two idle connections:",
		event:   "the cable is cut",
		here:    a.Do,
		there:   b.Do,
		address: b.IPv4,
		cut:     func([2]*net.TCPConn) error { return cable.Cut() },
	}, nil
}

// newLoopback is of peers that can be made deaf, for want of a lab.
func newLoopback(want error) (*scene, error) {
	do := func(f func() error) error { return f() }
	s := &scene{
		about: fmt.Sprintf("No private network here: %v.\n"+
			"So here are two idle connections over loopback, whose peers will go deaf:", want),
		event:   "the peers go deaf",
		here:    do,
		there:   do,
		address: netip.AddrFrom4([4]byte{127, 0, 0, 1}),
		cut: func(peers [2]*net.TCPConn) error {
			return cmp.Or(silence(peers[0]), silence(peers[1]))
		},
	}
	near, peer, err := s.connect()
	if err == nil {
		err = silence(peer)
		near.Close()
		peer.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("%w; over loopback: %w", want, err)
	}
	return s, nil
}

func silence(peer *net.TCPConn) error {
	rc, err := peer.SyscallConn()
	if err == nil {
		_, _, err = deaf.Silence(rc)
	}
	return err
}

// connect makes a connection that has what every new socket has.
func (s *scene) connect() (near, peer *net.TCPConn, err error) {
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(false)
	var l net.Listener
	if err := s.there(func() (err error) {
		l, err = lc.Listen(context.Background(), "tcp", netip.AddrPortFrom(s.address, 0).String())
		return err
	}); err != nil {
		return nil, nil, err
	}
	defer l.Close()
	d := net.Dialer{KeepAlive: -1, Timeout: life}
	d.SetMultipathTCP(false)
	var c net.Conn
	if err := s.here(func() (err error) {
		c, err = d.Dial("tcp", l.Addr().String())
		return err
	}); err != nil {
		return nil, nil, err
	}
	a, err := l.Accept()
	if err != nil {
		return nil, nil, err
	}
	near, peer = c.(*net.TCPConn), a.(*net.TCPConn)
	// A FIN would be lost, and the kernel keep the socket, and with it the
	// namespace, long after this process.
	return near, peer, cmp.Or(near.SetLinger(0), peer.SetLinger(0))
}
