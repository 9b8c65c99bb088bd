package main

import (
	"net"
	"time"

	"github.com/tcpopt/tcpopt"
)

// dialWithin is for new connections.
func dialWithin() (net.Dialer, error) {
	c, err := tcpopt.Within(30 * time.Second)
	return net.Dialer{KeepAlive: -1, Control: c.DialControl}, err
}

// listenWithin fails in Listen where accepted connections do not inherit
// options, as on macOS: use tcpopt.NewListener there.
func listenWithin() (net.ListenConfig, error) {
	c, err := tcpopt.Within(30 * time.Second)
	return net.ListenConfig{KeepAlive: -1, Control: c.ListenControl}, err
}

// setWithin is for a connection that exists. On multipath TCP, which has no
// user timeout, it fails and changes nothing; SetSupported sets the rest.
func setWithin(conn net.Conn) error {
	c, err := tcpopt.Within(30 * time.Second)
	if err != nil {
		return err
	}
	s, err := tcpopt.FromConn(conn)
	if err != nil {
		return err
	}
	return s.SetConfig(c)
}
