package tcpopt_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"

	"github.com/tcpopt/tcpopt"
)

// TestFromFD has an option that is set through a descriptor, and read through the
// connection.
func TestFromFD(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	rc, err := client.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	rc.Control(func(fd uintptr) {
		s := tcpopt.FromFD(fd)
		if s != tcpopt.FromFD(fd) {
			t.Error("two Sockets of a descriptor differ")
		}
		for _, tt := range allCalls {
			want := tt.call(fromConn(t, client))
			if err := tt.call(s); (err == nil) != (want == nil) {
				t.Errorf("%s = %v, want %v", tt.name, err, want)
			}
		}
		if err = s.SetConfig(full); err != nil {
			t.Fatal(err)
		}
		got := config(t, s)
		if want := overlay(untouched(t), full); got != want {
			t.Errorf("descriptor has %+v, want %+v", got, want)
		}
	})
	if got, want := config(t, fromConn(t, client)), overlay(untouched(t), full); got != want {
		t.Errorf("connection has %+v, want %+v", got, want)
	}
}

// TestFromFDRefuses has descriptors that are no TCP socket.
func TestFromFDRefuses(t *testing.T) {
	needSockets(t)
	newSocket(t, "udp4").Control(func(fd uintptr) {
		for _, tt := range allCalls {
			wantError(t, tt.name, tt.call(tcpopt.FromFD(fd)), tt.label, errors.ErrUnsupported)
		}
	})
	// Nothing has so high a number, and Unix would cut the next ones to 0 and -1.
	for _, fd := range []uintptr{math.MaxInt32, math.MaxInt32 + 1, math.MaxUint32, ^uintptr(0)} {
		for _, tt := range allCalls {
			err := tt.call(tcpopt.FromFD(fd))
			var oe *tcpopt.OptionError
			if !errors.As(err, &oe) || oe.Option != tt.label {
				t.Errorf("%s of descriptor %d = %v, want an *OptionError for %s", tt.name, fd, err, tt.label)
			}
			beyond := fd > tcpopt.MaxFD
			if named := strings.Contains(fmt.Sprint(err), "out of range (0 to 2147483647)"); named != beyond || beyond && !errors.Is(err, syscall.EINVAL) {
				t.Errorf("%s of descriptor %d = %v, want EINVAL and the range: %v", tt.name, fd, err, beyond)
			}
		}
	}
}
