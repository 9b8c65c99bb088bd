package tcpopt_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
)

// TestWithin holds Within to its promise for every whole second.
func TestWithin(t *testing.T) {
	least := leastWithin(t)
	for d := least; d <= 9*time.Hour; d += time.Second {
		c, err := tcpopt.Within(d)
		if err != nil {
			t.Fatalf("Within(%v): %v", d, err)
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("Within(%v) = %+v: %v", d, c, err)
		}
		idle, busy := c.DetectionTime()
		wantBusy := d
		if !tcpopt.UserTimeoutRow.Settable() && !tcpopt.KeepIdleRow.EndsBusy() {
			wantBusy = tcpopt.Unbounded
		}
		if idle != d || busy != wantBusy {
			t.Fatalf("Within(%v) = %+v, noticed within %v, %v, want %v, %v", d, c, idle, busy, d, wantBusy)
		}
		if c.KeepAlive != tcpopt.On || c.Interval <= 0 || c.Idle < c.Interval || c.MaxSilence() != c.Idle {
			t.Fatalf("Within(%v) = %+v, whose longest silence is %v", d, c, c.MaxSilence())
		}
		if tcpopt.KeepCountRow.Settable() && c.Count < 2 {
			t.Fatalf("Within(%v) = %+v, whose one lost probe is death", d, c)
		}
		idleLeast := max(time.Second, tcpopt.KeepIdleRow.Duration(tcpopt.KeepIdleRow.Least()))
		if tcpopt.KeepCountRow.Settable() && c.Count < 3 && c.Idle >= idleLeast+c.Interval {
			t.Fatalf("Within(%v) = %+v, where a third probe fits", d, c)
		}
		if most := tcpopt.KeepIntervalRow; c.Idle > 5*c.Interval && most.Settable() && c.Interval < most.Duration(most.Most()) && tcpopt.KeepCountRow.Settable() {
			t.Fatalf("Within(%v) = %+v, idle above five intervals", d, c)
		}
	}
}

func leastWithin(t *testing.T) time.Duration {
	t.Helper()
	if !tcpopt.KeepIdleRow.Settable() && !tcpopt.KeepPairRow.Settable() {
		if c, err := tcpopt.Within(time.Minute); !errors.Is(err, errors.ErrUnsupported) || c != (tcpopt.Config{}) {
			t.Errorf("Within(1m) = %+v, %v, want errors.ErrUnsupported", c, err)
		}
		t.Skip("no times of a socket's own on this OS")
	}
	if tcpopt.KeepIdleRow.Least() > 6 { // Solaris.
		return 30 * time.Second
	}
	return 3 * time.Second
}

// TestWithinElsewhere has an interval of a minute at most, as on illumos, and no
// times.
func TestWithinElsewhere(t *testing.T) {
	if !tcpopt.KeepIdleRow.Settable() || !tcpopt.KeepCountRow.Settable() {
		t.Skip("no idle time, or no count, on this OS")
	}
	c, err := tcpopt.WithinShort(time.Hour)
	if c.Idle != 57*time.Minute || c.Interval != time.Minute || c.Count != 3 || err != nil {
		t.Errorf("Within(1h) = %+v, %v, want 57m + 3 × 1m", c, err)
	}
	tcpopt.WithRows(true, func() {
		c, err := tcpopt.Within(time.Minute)
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), tcpopt.KeepIdleRow.Label()) || c != (tcpopt.Config{}) {
			t.Errorf("Within(1m) = %+v, %v, want errors.ErrUnsupported of the idle time", c, err)
		}
	})
}

// TestWithinPair has an old Windows' rows, with ten probes built in.
func TestWithinPair(t *testing.T) {
	needSockets(t)
	tcpopt.WithPair(false, func() {
		for d := 3 * time.Second; d < time.Hour; d += time.Second {
			c, err := tcpopt.Within(d)
			if err != nil {
				t.Fatalf("Within(%v): %v", d, err)
			}
			if idle, _ := c.DetectionTime(); idle != d || c.Validate() != nil || c.Count != 0 || c.Idle-10*c.Interval >= 20*time.Millisecond {
				t.Fatalf("Within(%v) = %+v, noticed within %v", d, c, idle)
			}
		}
		if c, err := tcpopt.Within(2 * time.Second); !errors.Is(err, syscall.EINVAL) || c != (tcpopt.Config{}) || !strings.Contains(err.Error(), "the least is 3s, the most is ") {
			t.Errorf("Within(2s) = %+v, %v, want EINVAL that names 3s and the most", c, err)
		}
	})
}

func TestWithinFraction(t *testing.T) {
	least := leastWithin(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		d := least + time.Duration(r.Int64N(int64(9*time.Hour)))
		c, err := tcpopt.Within(d)
		if err != nil {
			t.Fatalf("Within(%v): %v", d, err)
		}
		if idle, busy := c.DetectionTime(); idle > d || d-idle >= time.Second || busy > d && busy != tcpopt.Unbounded {
			t.Fatalf("Within(%v) = %+v, noticed within %v, %v", d, c, idle, busy)
		}
	}
}

func TestWithinRefuses(t *testing.T) {
	least := leastWithin(t)
	for _, d := range []time.Duration{least - 1, time.Second, 0, -1, -time.Hour, -1 << 63} {
		c, err := tcpopt.Within(d)
		if !errors.Is(err, syscall.EINVAL) || c != (tcpopt.Config{}) || !strings.Contains(err.Error(), fmt.Sprintf("within %v: the least is %v", d, least)) {
			t.Errorf("Within(%v) = %+v, %v, want EINVAL that names %v", d, c, err, least)
		}
	}
	c, err := tcpopt.Within(1<<63 - 1)
	if !errors.Is(err, syscall.EINVAL) || c != (tcpopt.Config{}) {
		t.Fatalf("Within(292 years) = %+v, %v, want EINVAL", c, err)
	}
	_, named, _ := strings.Cut(err.Error(), "the most is ")
	most, perr := time.ParseDuration(named)
	if perr != nil || runtime.GOOS == "linux" && most != 36*time.Hour+24*time.Minute+28*time.Second {
		t.Errorf("Within(292 years): %v, want an error that names the most", err)
	}
	if c, err := tcpopt.Within(most); err != nil {
		t.Errorf("Within(%v) = %+v, %v, want no error of the most", most, c, err)
	}
	for d := most - time.Minute; d < most; d += time.Second {
		if c, err := tcpopt.Within(d); err != nil {
			t.Errorf("Within(%v) = %+v, %v, want no error below the most", d, c, err)
		}
	}
	if c, again := tcpopt.Within(most + time.Second); !errors.Is(again, syscall.EINVAL) || !strings.HasSuffix(again.Error(), "the most is "+named) {
		t.Errorf("Within(%v) = %+v, %v, want the same refusal", most+time.Second, c, again)
	}
}

// TestDetectionTime has the cases of every system's model, for the rows at hand.
func TestDetectionTime(t *testing.T) {
	const s = time.Second
	none := tcpopt.Unbounded
	if none <= 1<<62 {
		t.Errorf("Unbounded is %d", none)
	}
	for _, tt := range []struct {
		name       string
		c          tcpopt.Config
		idle, busy time.Duration // without a user timeout in the model
	}{
		{"nothing", tcpopt.Config{}, none, none},
		{"off", tcpopt.Config{Idle: 60 * s, Interval: 20 * s, Count: 3}, none, none},
		{"on", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 60 * s, Interval: 20 * s, Count: 3}, 120 * s, none},
		{"the kernel's defaults", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 7200 * s, Interval: 60 * s, Count: 9}, 7740 * s, none},
		{"no user timeout", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 60 * s, Interval: 20 * s, Count: 3, UserTimeout: tcpopt.Unbounded}, 120 * s, none},
		{"left alone", tcpopt.Config{Idle: 60 * s, Interval: 20 * s, Count: 3}, none, none},
		{"no idle", tcpopt.Config{KeepAlive: tcpopt.On, Interval: 20 * s, Count: 3}, none, none},
		{"no interval", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 60 * s, Count: 3}, none, none},
		{"negative", tcpopt.Config{KeepAlive: tcpopt.On, Idle: -60 * s, Interval: 20 * s, Count: 3}, none, none},
		{"endless", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 60 * s, Interval: 1 << 62, Count: 1 << 30}, none, none},
	} {
		if !tcpopt.KeepCountRow.Settable() {
			continue // Another count is built in.
		}
		wantBusy := tt.busy
		if tcpopt.KeepIdleRow.EndsBusy() {
			wantBusy = tt.idle
		}
		if idle, busy := tt.c.DetectionTime(); idle != tt.idle || busy != wantBusy {
			t.Errorf("%s: %v, %v, want %v, %v", tt.name, idle, busy, tt.idle, wantBusy)
		}
	}
}

// TestMaxSilence has what a socket of this system takes, and on Linux the other
// model as well.
func TestMaxSilence(t *testing.T) {
	const s = time.Second
	none := tcpopt.Unbounded
	for _, tt := range []struct {
		name           string
		c              tcpopt.Config
		rearmed, other time.Duration
	}{
		{"nothing", tcpopt.Config{}, none, none},
		{"off", tcpopt.Config{Idle: 60 * s, Interval: 20 * s, Count: 3}, none, none},
		{"on", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 60 * s, Interval: 20 * s, Count: 3, UserTimeout: 5 * s}, 60 * s, 60 * s},
		{"the same", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 60 * s, Interval: 60 * s}, 60 * s, 60 * s},
		{"the kernel's interval", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 30 * s, Interval: 75 * s}, 75 * s, 30 * s},
		{"no idle", tcpopt.Config{KeepAlive: tcpopt.On, Interval: 20 * s}, none, none},
		{"no interval", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 60 * s}, none, 60 * s},
		{"negative", tcpopt.Config{KeepAlive: tcpopt.On, Idle: -60 * s, Interval: -20 * s}, none, none},
		{"more than can be set", tcpopt.Config{KeepAlive: tcpopt.On, Idle: none - 1, Interval: 1 << 62}, none - 1, none - 1},
	} {
		want := tt.other
		if tcpopt.KeepIdleRow.RearmsWithInterval() {
			want = tt.rearmed
			if got := tcpopt.MaxSilenceElsewhere(tt.c); got != tt.other {
				t.Errorf("%s: %v elsewhere, want %v", tt.name, got, tt.other)
			}
		}
		if got := tt.c.MaxSilence(); got != want {
			t.Errorf("%s: %v, want %v", tt.name, got, want)
		}
	}
	c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: 59*s + 1, Interval: 20 * s}
	if got := c.MaxSilence(); tcpopt.KeepIdleRow.Settable() && tcpopt.KeepIdleRow.Unit() == s && got != 60*s {
		t.Errorf("%+v: %v, want it rounded up", c, got)
	}
}

func TestDetectionTimeEndsBusy(t *testing.T) {
	if !tcpopt.UserTimeoutRow.Settable() || !tcpopt.KeepCountRow.Settable() {
		t.Skip("no user timeout on this OS")
	}
	const s = time.Second
	c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: 60 * s, Interval: 20 * s, Count: 3}
	if idle, busy := tcpopt.DetectionTimeEndsBusy(c); idle != 120*s || busy != 120*s {
		t.Errorf("%+v: %v, %v, want 2m, 2m", c, idle, busy)
	}
	c.UserTimeout = 30 * s
	if _, busy := tcpopt.DetectionTimeEndsBusy(c); busy != 30*s {
		t.Errorf("%+v: busy %v, want 30s", c, busy)
	}
	c.KeepAlive = tcpopt.Off
	if _, busy := tcpopt.DetectionTimeEndsBusy(c); busy != 30*s {
		t.Errorf("%+v: busy %v, want 30s", c, busy)
	}
}
