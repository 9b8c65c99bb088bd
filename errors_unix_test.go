//go:build unix

package tcpopt_test

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
)

// TestNotSocket has what is no socket at all.
func TestNotSocket(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe(pipe[:]); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	testNotTCP(t, rawFD(pipe[0]))
}

// TestBadDescriptor has a failure that is no lack of an option.
func TestBadDescriptor(t *testing.T) {
	for _, tt := range allCalls {
		err := tt.call(tcpopt.FromRawConn(rawFD(-1)))
		wantError(t, tt.name, err, tt.label, unix.EBADF)
		wantSystemCall(t, tt.name, err)
	}
	// Asked once while it was good: then no answer is taken for an option's lack.
	client, _ := connect(t, "tcp4", false)
	rc, err := client.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	turning := &turncoat{RawConn: rc}
	s := fromConn(t, conn{rc: turning})
	turning.bad = true
	for _, tt := range allCalls {
		err := tt.call(s)
		wantError(t, tt.name, err, tt.label, unix.EBADF)
		wantSystemCall(t, tt.name, err)
	}
}

// A turncoat gives a bad descriptor once it is bad.
type turncoat struct {
	syscall.RawConn
	bad bool
}

func (c *turncoat) Control(f func(uintptr)) error {
	if c.bad {
		return rawFD(-1).Control(f)
	}
	return c.RawConn.Control(f)
}
