package tcpopt_test

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
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
	labtest.Turns(b, 500, []labtest.Way{
		{Name: "call=get/by=raw", Call: func() { unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE) }},
		{Name: "call=get/by=tcpopt", Call: func() { s.KeepAliveIdle() }},
		{Name: "call=set/by=raw", Call: func() { unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 30) }},
		{Name: "call=set/by=tcpopt", Call: func() { s.SetKeepAliveIdle(30 * time.Second) }},
		{Name: "call=Config/by=raw", Call: func() { readAll(fd) }},
		{Name: "call=Config/by=tcpopt", Call: func() { s.Config() }},
		{Name: "call=SetConfig/by=net", Call: func() { client.SetKeepAliveConfig(k) }},
		{Name: "call=SetConfig/by=tcpopt", Call: func() { s.SetConfig(c) }},
		{Name: "call=Defaults/by=raw", Call: func() {
			fd, _ := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			readAll(fd)
			unix.Close(fd)
		}},
		{Name: "call=Defaults/by=tcpopt", Call: func() { tcpopt.Defaults() }},
	})
}

// readAll is what Config cannot do without.
func readAll(fd int) {
	unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
	unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL)
	unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT)
	unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
}
