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
		{"call=get/by=raw", func() { unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE) }},
		{"call=get/by=tcpopt", func() { s.KeepAliveIdle() }},
		{"call=set/by=raw", func() { unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 30) }},
		{"call=set/by=tcpopt", func() { s.SetKeepAliveIdle(30 * time.Second) }},
		{"call=Config/by=raw", func() { readAll(fd) }},
		{"call=Config/by=tcpopt", func() { s.Config() }},
		{"call=SetConfig/by=net", func() { client.SetKeepAliveConfig(k) }},
		{"call=SetConfig/by=tcpopt", func() { s.SetConfig(c) }},
		{"call=Defaults/by=raw", func() {
			fd, _ := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			readAll(fd)
			unix.Close(fd)
		}},
		{"call=Defaults/by=tcpopt", func() { tcpopt.Defaults() }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				bb.call()
			}
		})
	}
}

// readAll is what Config cannot do without.
func readAll(fd int) {
	unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
	unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL)
	unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT)
	unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
}
