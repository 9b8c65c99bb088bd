package liveness_test

import (
	"errors"
	"net"
	"os"
	"testing"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
)

func TestError(t *testing.T) {
	var err error = &liveness.Error{Reason: liveness.NoReply, Silent: 3*s + 1}
	if want := "liveness: peer silent for 3s: no reply"; err.Error() != want {
		t.Errorf("Error() = %q, want %q", err, want)
	}
	if e, ok := asType[net.Error](err); !ok || !e.Timeout() || err.(*liveness.Error).Temporary() {
		t.Errorf("%v: want a net.Error that is a timeout and not temporary", err)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v matches os.ErrDeadlineExceeded", err)
	}
	if tcpopt.IsDeadPeer(err) {
		t.Errorf("IsDeadPeer(%v), want false: it is not the kernel's verdict", err)
	}
	for r, want := range map[liveness.Reason]string{
		liveness.Idle: "idle", liveness.NoReply: "no reply", liveness.NoProgress: "no progress", 0: "Reason(0)", 9: "Reason(9)",
	} {
		if r.String() != want {
			t.Errorf("String() = %q, want %q", r, want)
		}
	}
}
