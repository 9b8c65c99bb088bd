package tcpopt_test

import (
	"syscall"
	"testing"

	"golang.org/x/sys/windows"
)

// newSocket returns a socket, neither bound nor connected, that package net has
// no part in: Wine lacks what net asks of a UDP socket.
func newSocket(t testing.TB, network string) syscall.RawConn {
	t.Helper()
	family, kind := windows.AF_INET, windows.SOCK_STREAM
	switch network {
	case "tcp6":
		family = windows.AF_INET6
	case "udp4":
		kind = windows.SOCK_DGRAM
	case "udp6":
		family, kind = windows.AF_INET6, windows.SOCK_DGRAM
	}
	fd, err := windows.Socket(family, kind, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { windows.Closesocket(fd) })
	return rawFD(fd)
}

type rawFD windows.Handle

func (fd rawFD) Control(f func(uintptr)) error  { f(uintptr(fd)); return nil }
func (fd rawFD) Read(func(uintptr) bool) error  { return syscall.EINVAL }
func (fd rawFD) Write(func(uintptr) bool) error { return syscall.EINVAL }
