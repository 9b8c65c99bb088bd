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

func TestSetSwitches(t *testing.T) {
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			for _, o := range allSwitches {
				t.Run(o.row.Label(), func(t *testing.T) { testSwitch(t, tt, o) })
			}
		})
	}
}

func testSwitch(t *testing.T, tt subject, o switches) {
	want := config(t, tt.socket)
	if on, err := o.get(tt.socket); on || err != nil {
		t.Fatalf("%v, %v before it is switched on", on, err)
	}
	for _, on := range []bool{true, false, true} {
		if o.field != nil {
			*o.field(&want) = tcpopt.SwitchOf(on)
		}
		if err := o.set(tt.socket, on); err != nil {
			t.Fatal(err)
		}
		if got, err := o.get(tt.socket); got != on || err != nil {
			t.Errorf("after setting %v: %v, %v", on, got, err)
		}
		if got := config(t, tt.socket); got != want {
			t.Errorf("after setting %v: %+v, want %+v", on, got, want)
		}
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
	if o.lackedBy(tt) {
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
		if got, err := o.get(tt.socket); got == step.want || err != nil {
			t.Fatalf("%v, %v already before it is set", got, err)
		}
		*o.field(&want) = cmp.Or(step.want, tcpopt.Unbounded) // Only a user timeout is ever zero.
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

func TestSetCounts(t *testing.T) {
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			for _, o := range allCounts {
				t.Run(o.name, func(t *testing.T) { testCount(t, tt, o) })
			}
		})
	}
}

func testCount(t *testing.T, tt subject, o counts) {
	least := int(o.row.Least())
	first := least + 2
	if o.lackedBy(tt) {
		wantError(t, fmt.Sprintf("set %d", first), o.set(tt.socket, first), o.row.Label(), errors.ErrUnsupported)
		return
	}
	steps := []int{first, first + 2}
	if runtime.GOOS != "windows" {
		steps = append(steps, int(o.row.Most()), least)
	}
	want := config(t, tt.socket)
	for _, n := range steps {
		if got, err := o.get(tt.socket); got == n || err != nil {
			t.Fatalf("%d, %v before %d is set", got, err, n)
		}
		if o.field != nil {
			*o.field(&want) = n
		}
		if err := o.set(tt.socket, n); err != nil {
			t.Fatal(err)
		}
		if got, err := o.get(tt.socket); got != n || err != nil {
			t.Errorf("after setting %d: %d, %v", n, got, err)
		}
		if got := config(t, tt.socket); got != derived(want, got) {
			t.Errorf("after setting %d: %+v, want %+v", n, got, want)
		}
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

// badCounts are counts that no system takes for the option.
func badCounts(row tcpopt.Row) []int {
	bad := []int{-1, int(row.Most() + 1), math.MaxInt, math.MinInt}
	if row.Least() > 0 {
		bad = append(bad, 0)
	}
	return bad
}

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
			for _, o := range allCounts {
				if !o.row.Settable() {
					continue
				}
				for _, n := range badCounts(o.row) {
					check(n, o.set(tt.socket, n), o.row.Label(), fmt.Sprintf("%d to %d", o.row.Least(), o.row.Most()))
				}
			}
		})
	}
}
