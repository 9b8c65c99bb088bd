package tcpopt_test

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

func TestClosed(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	rc, err := client.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	s := fromConn(t, client)
	client.Close()
	// A descriptor that a socket activator or (*net.TCPConn).File gave is a file's.
	file, err := os.Open(".")
	if err != nil {
		t.Fatal(err)
	}
	frc, err := file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	for _, tt := range allCalls {
		for _, s := range []tcpopt.Socket{s, tcpopt.FromRawConn(rc), tcpopt.FromRawConn(frc)} {
			err := tt.call(s)
			if errors.Is(err, errors.ErrUnsupported) && strings.HasPrefix(tt.name, "Set") {
				continue // The system lacks it, closed or not.
			}
			wantError(t, tt.name, err, tt.label, net.ErrClosed)
		}
	}
	if err := s.SetConfig(full); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SetConfig(%+v) = %v, want net.ErrClosed", full, err)
	}
}

// TestControlDoesNotCall is of a RawConn that is a stub, or lost its error.
func TestControlDoesNotCall(t *testing.T) {
	needSockets(t)
	for _, tt := range allCalls {
		err := tt.call(tcpopt.FromRawConn(idleRawConn{}))
		var oe *tcpopt.OptionError
		if !errors.As(err, &oe) || oe.Option != tt.label {
			t.Errorf("%s = %v, want an *OptionError for %s", tt.name, err, tt.label)
		}
	}
	if s, err := tcpopt.FromConn(conn{rc: idleRawConn{}}); err == nil {
		t.Errorf("FromConn = %v, want an error", s)
	}
}

// idleRawConn is a RawConn that does nothing and says that all is well.
type idleRawConn struct{ syscall.RawConn }

func (idleRawConn) Control(func(uintptr)) error { return nil }

// TestControlCallsTwice is of a RawConn that tries again by itself.
func TestControlCallsTwice(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	rc, err := client.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tcpopt.FromRawConn(eagerRawConn{rc}).SetSupported(full); got != full || err != nil {
		t.Errorf("SetSupported = %+v, %v, want %+v", got, err, full)
	}
}

// TestControlFails has a RawConn that reports an error after all was done.
func TestControlFails(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	rc, err := client.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	got, err := tcpopt.FromRawConn(failingRawConn{rc}).SetSupported(full)
	var oe *tcpopt.OptionError
	if got != full || !errors.Is(err, errControl) || !errors.As(err, &oe) || oe.Option != tcpopt.WriteOrder(full, false)[0] {
		t.Errorf("SetSupported = %+v, %v, want %+v and the error for the first option", got, err, full)
	}
}

var errControl = errors.New("control")

type failingRawConn struct{ syscall.RawConn }

func (c failingRawConn) Control(f func(uintptr)) error {
	return errors.Join(c.RawConn.Control(f), errControl)
}

type eagerRawConn struct{ syscall.RawConn }

func (c eagerRawConn) Control(f func(uintptr)) error {
	return errors.Join(c.RawConn.Control(f), c.RawConn.Control(f))
}

func TestNotTCP(t *testing.T) {
	needSockets(t)
	for network, tcp := range map[string]string{"udp4": "tcp4", "udp6": "tcp6"} {
		t.Run(network, func(t *testing.T) {
			if err := labtest.Missing(tcp); err != nil {
				t.Skip(err)
			}
			testNotTCP(t, newSocket(t, network))
		})
	}
	t.Run("unix", func(t *testing.T) {
		l := unixListener(t)
		if l == nil {
			t.Skip("no Unix sockets here")
		}
		unix, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close()
		c := unix.(*net.UnixConn)
		if s, err := tcpopt.FromConn(c); !errors.Is(err, errors.ErrUnsupported) || s != (tcpopt.Socket{}) {
			t.Errorf("FromConn(%T) = %v, %v, want none and errors.ErrUnsupported", c, s, err)
		}
		if s, err := tcpopt.FromListener(l); !errors.Is(err, errors.ErrUnsupported) || s != (tcpopt.Socket{}) {
			t.Errorf("FromListener(%T) = %v, %v, want none and errors.ErrUnsupported", l, s, err)
		}
		rc, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		testNotTCP(t, rc)
	})
}

func testNotTCP(t *testing.T, rc syscall.RawConn) {
	t.Helper()
	if s, err := tcpopt.FromConn(conn{rc: rc}); !errors.Is(err, errors.ErrUnsupported) || s != (tcpopt.Socket{}) {
		t.Errorf("FromConn = %v, %v, want none and errors.ErrUnsupported", s, err)
	}
	for _, tt := range allCalls {
		wantError(t, tt.name, tt.call(tcpopt.FromRawConn(rc)), tt.label, errors.ErrUnsupported)
	}
}
