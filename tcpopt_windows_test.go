package tcpopt_test

import (
	"syscall"
	"testing"

	"golang.org/x/sys/windows"
)

// rawUDP returns a UDP socket that package net has no part in, since Wine lacks
// what net asks of one.
func rawUDP(t *testing.T, network string) syscall.RawConn {
	t.Helper()
	family := map[string]int{"udp4": windows.AF_INET, "udp6": windows.AF_INET6}[network]
	fd, err := windows.Socket(family, windows.SOCK_DGRAM, 0)
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
