package tcpopt_test

import (
	"errors"
	"fmt"
	"math"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
)

func TestAbsentRow(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	s := fromConn(t, client)
	for _, d := range []time.Duration{0, -1, time.Second} {
		err := tcpopt.AbsentRow.Set(s, d)
		wantError(t, fmt.Sprintf("set %v", d), err, "TCP_ABSENT", errors.ErrUnsupported)
		if err != nil && !strings.Contains(err.Error(), "not on "+runtime.GOOS) {
			t.Errorf("%q does not name the OS", err)
		}
	}
	_, err := tcpopt.AbsentRow.Get(s)
	wantError(t, "get", err, "TCP_ABSENT", errors.ErrUnsupported)

	wantError(t, "set", tcpopt.FixedRow.Set(s, time.Second), "TCP_FIXED", errors.ErrUnsupported)
	if got, err := tcpopt.FixedRow.Get(s); got != 8*time.Second || err != nil {
		t.Errorf("get = %v, %v, want 8s", got, err)
	}
	client.Close()
	_, err = tcpopt.FixedRow.Get(s)
	wantError(t, "get of a closed connection", err, "TCP_FIXED", net.ErrClosed)
}

// TestRowLogic has what other systems' rows say, on a socket of this one.
func TestRowLogic(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	s := fromConn(t, client)
	idle := tcpopt.KeepIdleRow
	if !idle.Settable() {
		t.Skip("no idle time on this OS")
	}

	before := config(t, s)
	uninherited := tcpopt.Uninherited()
	if idle.Inherits() {
		err := tcpopt.SetTwo(tcpopt.AsListener(s), idle, uninherited)
		wantError(t, "set on a listener", err, "TCP_UNINHERITED", errors.ErrUnsupported)
	}
	if after := config(t, s); after != before {
		t.Errorf("config is %+v after the refusal, want %+v", after, before)
	}
	if _, err := uninherited.Get(tcpopt.AsListener(s)); err != nil {
		t.Errorf("get from a listener: %v", err)
	}

	// The kernel refuses the second of two: the first stands, the error says which.
	err := tcpopt.SetTwo(s, idle, tcpopt.Misnumbered())
	wantError(t, "set of two", err, "TCP_MISNUMBERED", errors.ErrUnsupported)
	wantSystemCall(t, "set of two", err)
	if strings.Contains(fmt.Sprint(err), "(") {
		t.Errorf("set of two = %v, which gives a reason that the row has not", err)
	}
	if got, err := s.KeepAliveIdle(); got != time.Minute || err != nil {
		t.Errorf("KeepAliveIdle() = %v, %v, want what was written before the refusal", got, err)
	}
}

// FuzzDuration checks duration, kernel's number, duration.
func FuzzDuration(f *testing.F) {
	for _, d := range []int64{0, 1, -1, int64(time.Second), math.MaxInt64, math.MinInt64, 1 << 62} {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, in int64) {
		d := time.Duration(in)
		for _, o := range allTimes {
			if !o.row.Settable() {
				continue
			}
			n, err := o.row.Kernel(d)
			if err != nil {
				if d > 0 && d <= o.row.Duration(o.row.Most()) && d > o.row.Duration(o.row.Least()-1) {
					t.Errorf("%s: %v refused: %v", o.name, d, err)
				}
				continue
			}
			back := o.row.Duration(n)
			if n < o.row.Least() || n > o.row.Most() || back < d || back-d >= o.row.Unit() {
				t.Errorf("%s: %v became %d and %v", o.name, d, n, back)
			}
			if again, err := o.row.Kernel(back); again != n || err != nil {
				t.Errorf("%s: %v became %d, %v the second time, want %d", o.name, back, again, err, n)
			}
		}
	})
}
