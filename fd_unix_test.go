//go:build unix

package tcpopt_test

import (
	"net"
	"os"
	"testing"

	"errors"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
)

func TestFromFDClosed(t *testing.T) {
	f, err := os.Open(".")
	if err != nil {
		t.Fatal(err)
	}
	fd := f.Fd()
	for _, tt := range allCalls { // It is open, but no socket.
		wantError(t, tt.name, tt.call(tcpopt.FromFD(fd)), tt.label, errors.ErrUnsupported)
	}
	high, err := unix.FcntlInt(fd, unix.F_DUPFD, 900) // Nobody takes it soon.
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	unix.Close(high)
	for _, tt := range allCalls {
		err := tt.call(tcpopt.FromFD(uintptr(high)))
		if tt.name == "Progress" && errors.Is(err, errors.ErrUnsupported) {
			continue
		}
		wantError(t, tt.name, err, tt.label, unix.EBADF)
		if errors.Is(err, net.ErrClosed) {
			t.Errorf("%s = %v, which is net.ErrClosed", tt.name, err)
		}
	}
}
