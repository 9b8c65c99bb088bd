package tcpopt_test

import (
	"syscall"
	"testing"

	"golang.org/x/sys/windows"
)

// rawUDP returns a UDP socket that package net has no part in, since Wine lacks
// what net asks of one.
func rawUDP(t *testing.T) syscall.RawConn {
	t.Helper()
	fd, err := windows.Socket(windows.AF_INET, windows.SOCK_DGRAM, 0)
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
