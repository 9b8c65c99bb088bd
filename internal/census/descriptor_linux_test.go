package census

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

// TestDescriptor looks at descriptors of this process.
func TestDescriptor(t *testing.T) {
	socket := func(family, kind, protocol int) int {
		t.Helper()
		fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
		if err != nil {
			t.Logf("no such socket here: %v", err)
			return -1
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	path := filepath.Join(t.TempDir(), "x y")
	f, err := os.Create(path)
	labtest.Need(t, err)
	defer f.Close()
	r, w, err := os.Pipe()
	labtest.Need(t, err)
	defer r.Close()
	defer w.Close()
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	labtest.Need(t, err)
	defer unix.Close(epoll)
	closed, err := net.ListenPacket("udp", "127.0.0.1:0")
	labtest.Need(t, err)
	closed.Close()
	probe := socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if _, err := unix.Fgetxattr(probe, "system.sockprotoname", make([]byte, 64)); err != nil {
		t.Skipf("sockets have no names here: %v", err)
	}
	for _, tt := range []struct {
		name string
		fd   int
		want string
	}{
		{"UDP", probe, "a UDP socket"},
		{"UDP over IPv6", socket(unix.AF_INET6, unix.SOCK_DGRAM, 0), "a UDP over IPv6 socket"},
		{"Unix stream", socket(unix.AF_UNIX, unix.SOCK_STREAM, 0), "a Unix socket"},
		{"Unix datagram", socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0), "a Unix socket"},
		{"netlink", socket(unix.AF_NETLINK, unix.SOCK_RAW, 0), "a NETLINK socket"},
		{"fresh TCP", socket(unix.AF_INET, unix.SOCK_STREAM, 0), "a TCP socket that is not connected and does not listen, or that other flags leave out"},
		{"fresh multipath TCP", socket(unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_MPTCP), "a TCP socket that is not connected and does not listen, or that other flags leave out"},
		{"file", int(f.Fd()), "the file " + path},
		{"pipe", int(r.Fd()), "a pipe"},
		{"epoll", epoll, "not a socket, but eventpoll"},
		{"none", 1 << 20, "not open"},
	} {
		if tt.fd < 0 {
			continue
		}
		if got := Descriptor(os.Getpid(), tt.fd); got != tt.want {
			t.Errorf("%s: Descriptor = %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := Descriptor(1<<22, 0); got != "not open" {
		t.Errorf("no process: %q", got)
	}
}
