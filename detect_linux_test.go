package tcpopt_test

import (
	"math"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
)

// A keepaliveTimer is tcp_keepalive_timer of the kernel's net/ipv4/tcp_timer.c
// (6.18), step by step, for a connection with nothing in flight. Other is that of
// the BSDs (tcp_timer_keep of FreeBSD's tcp_timer.c, 13.0), which has no user
// timeout here.
type keepaliveTimer struct {
	idle, interval, userTimeout uint64 // nanoseconds; no user timeout: 0
	count                       int
	other                       bool
}

// fresh is the probe of a connection that has sent none.
const fresh = math.MaxUint64

// timerOf has c in the kernel's units; what it does not take is left as it is.
func timerOf(c tcpopt.Config) keepaliveTimer {
	up := func(d, unit, most time.Duration) uint64 {
		if d > most {
			return uint64(d)
		}
		return uint64((d + unit - 1) / unit * unit)
	}
	k := keepaliveTimer{
		idle:     up(c.Idle, time.Second, 32767*time.Second),
		interval: up(c.Interval, time.Second, 32767*time.Second),
		count:    c.Count,
	}
	if c.UserTimeout > 0 && c.UserTimeout != tcpopt.Unbounded {
		k.userTimeout = up(c.UserTimeout, time.Millisecond, math.MaxInt32*time.Millisecond)
	}
	return k
}

// steps is more than any test waits for.
const steps = 1 << 16

// dies returns when the peer is given up, counted from the last segment that
// came, a time after the last probe went out. It is Unbounded beyond what a
// Duration holds. It is false after too many steps.
func (k keepaliveTimer) dies(probe uint64) (time.Duration, bool) {
	// The timer was set by the first segment, at the latest that one, or by the
	// probe. What comes in between does not set it.
	due := k.idle
	if probe != fresh && !k.other {
		due = k.interval - probe
	}
	out := 0 // Probes without an answer.
	for range steps {
		elapsed := due
		switch {
		case elapsed > math.MaxInt64:
			return tcpopt.Unbounded, true
		case elapsed < k.idle:
			due += k.idle - elapsed
			continue
		case k.other && elapsed >= k.idle+uint64(k.count)*k.interval,
			!k.other && k.userTimeout == 0 && out >= k.count,
			!k.other && k.userTimeout != 0 && elapsed >= k.userTimeout && out > 0:
			return time.Duration(elapsed), true
		}
		out++
		due += k.interval
	}
	return 0, false
}

// FuzzDetectionTime compares with the kernel's timer, whatever the connection has
// been through.
func FuzzDetectionTime(f *testing.F) {
	const s, ms = int64(time.Second), int64(time.Millisecond)
	for _, c := range [][4]int64{
		{1, 2, 2}, {1, 3, 3}, {1, 5, 1}, {2, 8, 1}, {1, 10, 1}, {2, 8, 2}, {5, 1, 3}, {3, 3, 2}, {7200, 75, 9}, {32767, 32767, 127},
		{1, 5, 9, 6}, {1, 4, 9, 3}, {2, 6, 9, 8}, {2, 8, 2, 5}, {10, 75, 9, 30}, {3, 1, 9, 5}, {15, 5, 3, 30},
		// With the user timeout at a probe,
		{10, 5, 3, 20}, {5, 10, 3, 20}, {5, 10, 3, 10}, {10, 10, 3, 10}, {10, 10, 3, 20}, {9, 10, 3, 20}, {1, 10, 3, 1},
		// an idle time past one,
		{2, 3, 9, 8}, {2, 3, 9, 7}, {4, 5, 9, 14}, {4, 5, 9, 15},
		// and shorter than all.
		{10, 5, 3, 1}, {5, 10, 3, 1},
	} {
		for _, by := range []int64{-s, -ms, -1, 0, 1, ms, s} {
			ut := c[3] * s
			if ut > 0 {
				ut += by
			} else if by != 0 {
				continue
			}
			f.Add(c[0]*s, c[1]*s, int(c[2]), ut, uint64(s))
		}
	}
	const none = math.MaxInt64
	for _, c := range [][4]int64{
		{none, 1, 1}, {1, none, 1}, {none, none, 1}, {1, 1, none}, {none / 2, none / 2, 1}, {none/2 + 1, none / 2, 1}, {none/2 + 2, none / 2, 1},
		{none / 2, none/2 + 1, 1}, {none / 4, none / 2, 1}, {86400 * s, none - 86400*s, 1}, {86400 * s, none - 86400*s + 1, 1},
		{60 * s, 20 * s, 0, none}, {s, none / 2, 0, none}, {s, none / 2, 0, none/2 + 1}, {none / 2, none / 2, 0, s}, {s, none, 0, s},
		{86400 * s, 86401 * s, 3, 172801 * s}, {0, s, 1}, {s, 0, 1}, {s, s, 0}, {-s, s, 1}, {s, -s, 1}, {s, s, -1}, {s, s, 1, -1}, {1, 1, 1, 1},
		{none - s, s, 1}, {none - s + 1, s, 1},
		// To the nanosecond, where nothing is rounded.
		{86400 * s, 100000 * s, 0, 3086400 * s}, {86400 * s, 100000 * s, 0, 3086400*s + 1}, {86400 * s, 100000 * s, 0, 3086400*s + 2},
	} {
		f.Add(c[0], c[1], int(c[2]), c[3], uint64(0))
		f.Add(c[0], c[1], int(c[2]), c[3], uint64(s+1))
	}
	f.Fuzz(func(t *testing.T, idle, interval int64, count int, userTimeout int64, probe uint64) {
		c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Duration(idle), Interval: time.Duration(interval), Count: count, UserTimeout: time.Duration(userTimeout)}
		compareTimer(t, c, probe)
	})
}

// TestDetectionTimeSmall has every small Config with user timeouts around what
// matters.
func TestDetectionTimeSmall(t *testing.T) {
	const s = time.Second
	for idle := s; idle <= 5*s; idle += s {
		for interval := s; interval <= 5*s; interval += s {
			for count := range 4 {
				compareTimer(t, tcpopt.Config{KeepAlive: tcpopt.On, Idle: idle, Interval: interval, Count: count}, uint64(s))
			}
			for at := time.Duration(0); at <= 16*s; at += s / 2 {
				for _, by := range []time.Duration{-time.Millisecond, -1, 0, 1, time.Millisecond} {
					for probe := time.Duration(0); probe < interval; probe += s / 2 {
						compareTimer(t, tcpopt.Config{KeepAlive: tcpopt.On, Idle: idle, Interval: interval, Count: 1, UserTimeout: at + by}, uint64(probe))
					}
				}
			}
		}
	}
}

// TestDetectionTimeLived has connections that were seen to live longer than idle
// + count × interval, Linux 6.18.
func TestDetectionTimeLived(t *testing.T) {
	for _, tt := range []struct{ idle, interval, count, userTimeout, want int }{
		{1, 2, 2, 0, 6}, {1, 3, 3, 0, 12}, {1, 5, 1, 0, 10},
		{2, 8, 1, 0, 16}, {1, 10, 1, 0, 20}, {2, 8, 2, 0, 24},
		{1, 5, 9, 6, 10}, {1, 4, 9, 3, 8}, {2, 6, 9, 8, 12}, {2, 8, 2, 5, 16},
		{10, 75, 9, 30, 150},
		{5, 1, 3, 0, 8}, {3, 3, 2, 0, 9}, {3, 1, 9, 5, 5},
		// And without an answered probe, 8.2 s.
		{2, 3, 9, 6, 9},
	} {
		c := tcpopt.Config{
			KeepAlive: tcpopt.On, Idle: time.Duration(tt.idle) * time.Second, Interval: time.Duration(tt.interval) * time.Second,
			Count: tt.count, UserTimeout: time.Duration(tt.userTimeout) * time.Second,
		}
		if idle, _ := c.DetectionTime(); idle != time.Duration(tt.want)*time.Second {
			t.Errorf("%+v: %v, want %d s", c, idle, tt.want)
		}
	}
}

func compareTimer(t *testing.T, c tcpopt.Config, probe uint64) {
	t.Helper()
	got, busy := c.DetectionTime()
	k := timerOf(c)
	wantBusy := tcpopt.Unbounded
	if k.userTimeout != 0 {
		wantBusy = time.Duration(k.userTimeout)
	}
	if busy != wantBusy {
		t.Errorf("%+v: busy %v, want %v", c, busy, wantBusy)
	}
	off := c
	off.KeepAlive = tcpopt.Off
	if idle, busy := off.DetectionTime(); idle != tcpopt.Unbounded || busy != wantBusy {
		t.Errorf("%+v: %v, %v, want Unbounded, %v", off, idle, busy, wantBusy)
	}
	if c.Idle <= 0 || c.Interval <= 0 || c.Count <= 0 && k.userTimeout == 0 {
		if got != tcpopt.Unbounded {
			t.Errorf("%+v: %v, want Unbounded", c, got)
		}
		return
	}
	// The worst is a connection that has just been probed, or one whose probes go
	// out just before the user timeout.
	pasts := []uint64{fresh, 0, probe % k.interval}
	if k.userTimeout != 0 && k.interval > k.idle {
		pasts = append(pasts, (2*k.interval-k.userTimeout%k.interval+1)%k.interval)
	}
	var worst time.Duration
	for _, past := range pasts {
		d, ok := k.dies(past)
		if !ok {
			return
		}
		if d > got {
			t.Errorf("%+v: %v, but %v if the last segment came %v after the last probe", c, got, d, time.Duration(past))
		}
		worst = max(worst, d)
	}
	if worst < got-1 {
		t.Errorf("%+v: %v, but %v at worst", c, got, worst)
	}

	k.other = true
	want, ok := k.dies(fresh)
	if !ok || c.Count <= 0 || uint64(c.Count) > (math.MaxInt64)/k.interval {
		return
	}
	if idle, _ := tcpopt.DetectionTimeElsewhere(c); idle != want {
		t.Errorf("%+v elsewhere: %v, want %v", c, idle, want)
	}
}

// TestDetectionTimeUserTimeout has what is Linux's own: a user timeout takes the
// place of count.
func TestDetectionTimeUserTimeout(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name       string
		c          tcpopt.Config
		idle, busy time.Duration
	}{
		{"alone", tcpopt.Config{UserTimeout: 5 * s}, tcpopt.Unbounded, 5 * s},
		{"shorter than idle", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 60 * s, Interval: 20 * s, Count: 3, UserTimeout: 5 * s}, 80 * s, 5 * s},
		{"at a probe", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 60 * s, Interval: 20 * s, Count: 3, UserTimeout: 100 * s}, 100 * s, 100 * s},
		{"past a probe", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 60 * s, Interval: 20 * s, Count: 3, UserTimeout: 100*s + 1}, 120 * s, 100*s + time.Millisecond},
		{"longer", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 60 * s, Interval: 20 * s, Count: 3, UserTimeout: 300 * s}, 300 * s, 300 * s},
		{"without count", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 60 * s, Interval: 20 * s, UserTimeout: 300 * s}, 300 * s, 300 * s},
		{"rounded up", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 1500 * time.Millisecond, Interval: 1, Count: 3}, 5 * s, tcpopt.Unbounded},
		{"endless", tcpopt.Config{KeepAlive: tcpopt.On, Idle: 60 * s, Interval: 20 * s, UserTimeout: tcpopt.Unbounded}, tcpopt.Unbounded, tcpopt.Unbounded},
	} {
		if idle, busy := tt.c.DetectionTime(); idle != tt.idle || busy != tt.busy {
			t.Errorf("%s: %v, %v, want %v, %v", tt.name, idle, busy, tt.idle, tt.busy)
		}
	}
}
