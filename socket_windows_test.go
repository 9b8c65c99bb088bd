package tcpopt_test

import (
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"github.com/tcpopt/tcpopt"
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

// TestDefaultsDocumented has a Windows that cannot be asked, and a registry that
// nobody has changed: what Microsoft documents.
func TestDefaultsDocumented(t *testing.T) {
	if tcpopt.KeepIntervalRow.Settable() {
		t.Skip("a socket of this Windows tells its defaults")
	}
	want := tcpopt.Config{Idle: 2 * time.Hour, Interval: time.Second, Count: 10}
	if got, err := tcpopt.Defaults(); got != want || err != nil {
		t.Errorf("Defaults() = %+v, %v, want %+v", got, err, want)
	}
}
