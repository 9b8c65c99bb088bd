package tcpopt_test

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
)

// BenchmarkCost has each call beside what it cannot do without, its system calls
// on the bare descriptor, or beside what package net does for the same.
func BenchmarkCost(b *testing.B) {
	client, _ := connect(b, "tcp4", false)
	s := fromConn(b, client)
	rc, err := client.SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	var fd int
	rc.Control(func(d uintptr) { fd = int(d) })
	k := net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}
	c := tcpopt.ConfigFromNet(k)
	for _, bb := range []struct {
		name string
		call func()
	}{
		{"get/raw", func() { unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE) }},
		{"get/tcpopt", func() { s.KeepAliveIdle() }},
		{"set/raw", func() { unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 30) }},
		{"set/tcpopt", func() { s.SetKeepAliveIdle(30 * time.Second) }},
		{"Config/raw", func() {
			unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
			unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
			unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL)
			unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT)
			unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		}},
		{"Config/tcpopt", func() { s.Config() }},
		{"SetConfig/net", func() { client.SetKeepAliveConfig(k) }},
		{"SetConfig/tcpopt", func() { s.SetConfig(c) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				bb.call()
			}
		})
	}
}
