package interop

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/tcpopt/tcpopt"
)

// TestListenDefault pins what the documentation says about net.Listen in a program
// whose go.mod says go 1.24 or later, like this module's.
func TestListenDefault(t *testing.T) {
	const IPPROTO_MPTCP = 262
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, IPPROTO_MPTCP)
	if err != nil {
		t.Skip("no multipath TCP here: ", err)
	}
	syscall.Close(fd)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := tcpopt.FromListener(l)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := s.UserTimeout(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("UserTimeout = %v, %v; if a listener no longer speaks multipath TCP by default, revise \"go 1.24\" in all docs", d, err)
	}
}
