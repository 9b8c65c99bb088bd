package tcpopt_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
)

func TestIsDeadPeer(t *testing.T) {
	wrap := func(op string, err error) error {
		return fmt.Errorf("wrapped: %w", &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, err)})
	}
	for _, err := range tcpopt.DeadPeer {
		if !tcpopt.IsDeadPeer(wrap("read", err)) || !tcpopt.IsDeadPeer(err) {
			t.Errorf("IsDeadPeer(%v) = false", err)
		}
		if tcpopt.IsDeadPeer(wrap("dial", err)) {
			t.Errorf("IsDeadPeer(%v) = true for an error of Dial", err)
		}
	}
	for _, err := range []error{nil, io.EOF, net.ErrClosed, os.ErrDeadlineExceeded, syscall.EINVAL, errors.New("some")} {
		if tcpopt.IsDeadPeer(err) || err != nil && tcpopt.IsDeadPeer(wrap("read", err)) {
			t.Errorf("IsDeadPeer(%v) = true", err)
		}
	}
}

// TestDeadline has a timeout that is not the peer's.
func TestDeadline(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	client.SetReadDeadline(time.Now())
	if _, err := client.Read(make([]byte, 1)); err == nil || tcpopt.IsDeadPeer(err) {
		t.Errorf("IsDeadPeer(%v) = true", err)
	}
}
