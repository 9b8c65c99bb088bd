package tcpopt_test

import (
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
)

// TestRawOptions compares what tcpopt reads with what the kernel has.
func TestRawOptions(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	if err := fromConn(t, client).SetConfig(full); err != nil {
		t.Fatal(err)
	}
	rc, err := client.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	rc.Control(func(fd uintptr) {
		if got, want := rawOptions(int(fd)), [...]int{1, 33, 11, 4, 44000}; got != want {
			t.Errorf("the kernel has %v, want %v", got, want)
		}
	})
}

// TestRefusedChangesNothing looks at sockets that tcpopt itself refuses to read.
func TestRefusedChangesNothing(t *testing.T) {
	udp := newSocket(t, "udp4").(rawFD)
	unixPair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(unixPair[1])
	defer unix.Close(unixPair[0])
	closed, _ := connect(t, "tcp4", false)
	still, err := closed.File() // The same socket, which stays open.
	if err != nil {
		t.Fatal(err)
	}
	defer still.Close()
	closedSocket := fromConn(t, closed)
	closed.Close()

	for _, tt := range []struct {
		name   string
		socket tcpopt.Socket
		fd     int
		want   error
	}{
		{"udp", tcpopt.FromRawConn(udp), int(udp), errors.ErrUnsupported},
		{"unix", tcpopt.FromRawConn(rawFD(unixPair[0])), unixPair[0], errors.ErrUnsupported},
		{"closed", closedSocket, int(still.Fd()), net.ErrClosed},
	} {
		before := rawOptions(tt.fd)
		for _, c := range []tcpopt.Config{{KeepAlive: tcpopt.On}, full} {
			if err := tt.socket.SetConfig(c); !errors.Is(err, tt.want) {
				t.Errorf("%s: SetConfig(%+v) = %v, want %v", tt.name, c, err, tt.want)
			}
		}
		if err := tt.socket.SetKeepAlive(true); !errors.Is(err, tt.want) {
			t.Errorf("%s: SetKeepAlive = %v, want %v", tt.name, err, tt.want)
		}
		if after := rawOptions(tt.fd); after != before {
			t.Errorf("%s: options are %v, want %v", tt.name, after, before)
		}
	}
}

// rawOptions reads the five options without tcpopt; one that is refused is -1.
func rawOptions(fd int) (all [5]int) {
	for i, o := range [...]struct{ level, name int }{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT},
	} {
		n, err := unix.GetsockoptInt(fd, o.level, o.name)
		if err != nil {
			n = -1
		}
		all[i] = n
	}
	return all
}
