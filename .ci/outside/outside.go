// Package outside is what a program of somebody else might be.
package outside

import (
	"net"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
)

func connect(address string) (net.Conn, error) {
	c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: time.Second, Count: 1}
	d := net.Dialer{KeepAlive: -1, Control: c.DialControl}
	return d.Dial("tcp", address)
}

// watch closes conn when nothing has come for a minute.
func watch(conn net.Conn) *liveness.Monitor {
	m := &liveness.Monitor{Idle: time.Minute, Dead: func(error) { conn.Close() }}
	m.Start()
	return m
}
