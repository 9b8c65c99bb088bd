package tcpopt_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

func TestSetKeepAlive(t *testing.T) {
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			want := config(t, tt.socket)
			if want.Enable {
				t.Fatal("keepalive is on before it is switched on")
			}
			for _, want.Enable = range []bool{true, false, true} {
				if err := tt.socket.SetKeepAlive(want.Enable); err != nil {
					t.Fatal(err)
				}
				if got, err := tt.socket.KeepAlive(); got != want.Enable || err != nil {
					t.Errorf("KeepAlive() = %v, %v, want %v", got, err, want.Enable)
				}
				if got := config(t, tt.socket); got != want {
					t.Errorf("Config() = %+v, want %+v", got, want)
				}
			}
		})
	}
}

func TestSetTimes(t *testing.T) {
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			for _, o := range allTimes {
				t.Run(o.name, func(t *testing.T) { testTime(t, tt, o) })
			}
		})
	}
}

func testTime(t *testing.T, tt subject, o times) {
	if tt.lacks(o) {
		testLacking(t, tt.socket, o)
		return
	}
	unit := o.row.Unit()
	steps := []struct{ in, want time.Duration }{
		{31 * time.Second, 31 * time.Second},
		{20*time.Second + 1, 20*time.Second + unit},
		{30*time.Second - unit/2, 30 * time.Second},
	}
	if runtime.GOOS != "windows" { // It documents no range; Wine's is its host's.
		least, most := o.row.Duration(o.row.Least()), o.row.Duration(o.row.Most())
		steps = append(steps, struct{ in, want time.Duration }{most, most},
			struct{ in, want time.Duration }{least, least})
	}
	for _, step := range steps {
		want := config(t, tt.socket)
		if *o.field(&want) == step.want {
			t.Fatalf("%v already before it is set", step.want)
		}
		*o.field(&want) = step.want
		if err := o.set(tt.socket, step.in); err != nil {
			t.Fatal(err)
		}
		if got, err := o.get(tt.socket); got != step.want || err != nil {
			t.Errorf("after setting %v: %v, %v, want %v", step.in, got, err, step.want)
		}
		if got := config(t, tt.socket); got != derived(want, got) {
			t.Errorf("after setting %v: %+v, want %+v", step.in, got, want)
		}
	}
}

// derived is want with what illumos makes up itself: count from interval, and the
// reverse, where the other was never set.
func derived(want, got tcpopt.Config) tcpopt.Config {
	want.Interval = cmp.Or(want.Interval, got.Interval)
	want.Count = cmp.Or(want.Count, got.Count)
	return want
}

// testLacking is the twin of TestSetTimes where the option is missing.
func testLacking(t *testing.T, s tcpopt.Socket, o times) {
	t.Helper()
	before := config(t, s)
	for _, d := range []time.Duration{0, time.Minute, -1} {
		if d != time.Minute && o.row.Settable() {
			continue // Refused for its value where the system has the option.
		}
		wantError(t, fmt.Sprintf("set %v", d), o.set(s, d), o.row.Label(), errors.ErrUnsupported)
	}
	if _, err := o.get(s); !o.row.Readable() || o.row.Settable() {
		wantError(t, "get", err, o.row.Label(), errors.ErrUnsupported)
	} else if err != nil {
		t.Error(err)
	}
	if after := config(t, s); after != before {
		t.Errorf("after the refusals: %+v, want %+v", after, before)
	}
}

func TestSetKeepAliveIdleRoundsUp(t *testing.T) {
	if row := tcpopt.KeepIdleRow; !row.Settable() || row.Least() > 2 || row.Unit() != time.Second {
		t.Skip("no idle time of 2 s on this OS, or in other units")
	}
	for _, network := range []string{"tcp4", "tcp6"} {
		if err := labtest.Missing(network); err != nil {
			t.Skip(err)
		}
		client, _ := connect(t, network, false)
		s := fromConn(t, client)
		if err := s.SetKeepAliveIdle(1500 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if got, err := s.KeepAliveIdle(); got != 2*time.Second || err != nil {
			t.Errorf("%s: KeepAliveIdle() = %v, %v, want 2s", network, got, err)
		}
	}
}

func TestSetKeepAliveCount(t *testing.T) {
	row := tcpopt.KeepCountRow
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			want := config(t, tt.socket)
			if !row.Settable() {
				wantError(t, "SetKeepAliveCount(3)", tt.socket.SetKeepAliveCount(3), row.Label(), errors.ErrUnsupported)
				return
			}
			counts := []int{3, 5}
			if runtime.GOOS != "windows" {
				counts = append(counts, int(row.Most()), int(row.Least()))
			}
			for _, n := range counts {
				if want.Count == n {
					t.Fatalf("count is %d before it is set", n)
				}
				want.Count = n
				if err := tt.socket.SetKeepAliveCount(n); err != nil {
					t.Fatal(err)
				}
				if got, err := tt.socket.KeepAliveCount(); got != n || err != nil {
					t.Errorf("KeepAliveCount() = %d, %v, want %d", got, err, n)
				}
				if got := config(t, tt.socket); got != derived(want, got) {
					t.Errorf("Config() = %+v, want %+v", got, want)
				}
			}
		})
	}
}

// badTimes are times that no system takes for the option.
func badTimes(row tcpopt.Row) []time.Duration {
	most := row.Duration(row.Most())
	bad := []time.Duration{-1, -time.Second, most + 1, most + row.Unit(), (1<<32 + 1) * time.Second, 1 << 62, math.MaxInt64, math.MinInt64}
	if row.Least() > 0 {
		bad = append(bad, 0)
	}
	return bad
}

var badCounts = []int{-1, 0, int(tcpopt.KeepCountRow.Most() + 1), math.MaxInt, math.MinInt}

func TestSetRefusesRange(t *testing.T) {
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			before := config(t, tt.socket)
			check := func(in any, err error, label, want string) {
				t.Helper()
				wantError(t, fmt.Sprintf("set %v", in), err, label, syscall.EINVAL)
				want = fmt.Sprintf("tcpopt: set %s: %v: out of range (%s)", label, in, want)
				if err != nil && err.Error() != want {
					t.Errorf("set %v: %q, want %q", in, err, want)
				}
				if after := config(t, tt.socket); after != before {
					t.Errorf("set %v: config is %+v, want %+v", in, after, before)
				}
			}
			for _, o := range allTimes {
				if !o.row.Settable() {
					continue
				}
				bounds := fmt.Sprintf("%v to %v", o.row.Duration(o.row.Least()), o.row.Duration(o.row.Most()))
				for _, d := range badTimes(o.row) {
					check(d, o.set(tt.socket, d), o.row.Label(), bounds)
				}
			}
			if row := tcpopt.KeepCountRow; row.Settable() {
				for _, n := range badCounts {
					check(n, tt.socket.SetKeepAliveCount(n), row.Label(), fmt.Sprintf("%d to %d", row.Least(), row.Most()))
				}
			}
		})
	}
}
