package main

import (
	"net"
	"time"

	"github.com/tcpopt/tcpopt"
)

// dialWithin is for connections that do not exist yet.
func dialWithin() (net.Dialer, error) {
	c, err := tcpopt.Within(30 * time.Second)
	return net.Dialer{KeepAlive: -1, Control: c.DialControl}, err
}

// listenWithin is refused by Listen where accepted connections do not inherit,
// as on macOS: use setWithin after Accept there.
func listenWithin() (net.ListenConfig, error) {
	c, err := tcpopt.Within(30 * time.Second)
	return net.ListenConfig{KeepAlive: -1, Control: c.ListenControl}, err
}

// setWithin is for a connection that exists. It changes nothing and fails on
// multipath TCP, which has no user timeout.
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
