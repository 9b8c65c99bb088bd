//go:build unix

package tcpopt_test

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// newSocket returns a socket, neither bound nor connected, that package net has
// no part in.
func newSocket(t testing.TB, network string) syscall.RawConn {
	t.Helper()
	family, kind := unix.AF_INET, unix.SOCK_STREAM
	switch network {
	case "tcp6":
		family = unix.AF_INET6
	case "udp4":
		kind = unix.SOCK_DGRAM
	case "udp6":
		family, kind = unix.AF_INET6, unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(family, kind, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return rawFD(fd)
}

// rawFD is a RawConn without package net.
type rawFD int

func (fd rawFD) Control(f func(uintptr)) error  { f(uintptr(fd)); return nil }
func (fd rawFD) Read(func(uintptr) bool) error  { return syscall.EINVAL }
func (fd rawFD) Write(func(uintptr) bool) error { return syscall.EINVAL }
