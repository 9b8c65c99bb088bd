package main

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

func TestOutlasts(t *testing.T) {
	const s = time.Second
	target := tcpopt.Config{KeepAlive: tcpopt.On, Idle: 3 * s, Interval: 4 * s, Count: 3}
	for _, tt := range []struct {
		name     string
		on       bool
		interval time.Duration
		probes   int
		target   tcpopt.Config
		want     bool
	}{
		{"a shorter interval", true, 3 * s, 0, target, false},
		{"a longer one", true, 4 * s, 0, target, true},
		{"a probe is out, and no harm", true, 4 * s, 1, target, false},
		{"switched on", false, s, 0, target, true},
		{"switched off", true, 4 * s, 0, tcpopt.Config{}, false},
	} {
		now := census.Socket{Probes: tt.probes, Config: tcpopt.Config{KeepAlive: tcpopt.SwitchOf(tt.on), Idle: 3 * s, Interval: tt.interval, Count: 3}}
		if got := outlasts(&now, tt.target); got != tt.want {
			t.Errorf("%s: outlasts = %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestRisky(t *testing.T) {
	const s = time.Second
	on := func(idle, interval time.Duration, count int, timeout time.Duration) tcpopt.Config {
		return tcpopt.Config{KeepAlive: tcpopt.On, Idle: idle, Interval: interval, Count: count, UserTimeout: timeout}
	}
	within6 := on(3*s, s, 3, 6*s)
	for _, tt := range []struct {
		name    string
		now     census.Socket
		old     tcpopt.Config
		target  tcpopt.Config
		unheard bool
		want    bool
	}{
		{name: "fresh", target: within6},
		{name: "two probes fit", now: census.Socket{Silence: 4 * s}, old: on(100*s, 75*s, 9, 0), target: within6},
		{name: "one fits", now: census.Socket{Silence: 5 * s}, old: on(100*s, 75*s, 9, 0), target: within6, want: true},
		{name: "two of three fit, without keepalive", now: census.Socket{Silence: 4 * s}, target: within6, want: true},
		{name: "three of three, without keepalive", now: census.Socket{Silence: 3 * s}, target: within6},
		{name: "none fits", now: census.Socket{Silence: time.Hour}, target: within6, want: true},
		{name: "count alone", now: census.Socket{Silence: time.Hour}, target: on(3*s, s, 2, 0)},
		{name: "never more than one", target: on(4*s, 4*s, 9, 6*s)},
		{name: "a probe is out", now: census.Socket{Probes: 1, Silence: 2 * s}, old: on(s, s, 9, 0), target: on(s, s, 8, 0), want: true},
		{name: "one is out since keepalive was on", now: census.Socket{Probes: 1, Silence: 2 * s}, target: on(s, s, 8, 0), want: true},
		{name: "a higher count", now: census.Socket{Probes: 1, Silence: 2 * s}, old: on(s, s, 9, 0), target: on(s, s, 10, 0)},
		{name: "a shorter interval", now: census.Socket{Probes: 1, Silence: 2 * s}, old: on(s, 2*s, 9, 0), target: on(s, s, 10, 0), want: true},
		{name: "another idle time", now: census.Socket{Probes: 1, Silence: 2 * s}, old: on(s, s, 9, 0), target: on(2*s, s, 9, 0), want: true},
		{name: "a much longer one", now: census.Socket{Probes: 1, Silence: 2 * s}, old: on(s, s, 9, 0), target: on(4*s, s, 9, 0)},
		{name: "a longer user timeout", now: census.Socket{Probes: 1, Silence: 2 * s}, old: on(s, s, 9, 5*s), target: on(s, s, 3, 6*s)},
		{name: "a shorter one", now: census.Socket{Probes: 1, Silence: 2 * s}, old: on(s, s, 9, 5*s), target: on(s, s, 9, 4*s), want: true},
		{name: "no more", now: census.Socket{Probes: 9, Silence: 10 * s}, old: on(s, s, 9, 20*s), target: on(s, s, 9, 0), want: true},
		{name: "no more, and a count beyond it", now: census.Socket{Probes: 9, Silence: 10 * s}, old: on(s, s, 9, 20*s), target: on(s, s, 20, 0)},
		{name: "no more, and one that is not", now: census.Socket{Probes: 9, Silence: 10 * s}, old: on(s, s, 9, 20*s), target: on(s, s, 19, 0), want: true},
		{name: "a first one beyond the count", now: census.Socket{Probes: 1, Silence: 3 * s}, old: on(2*s, 8*s, 3, 0), target: on(2*s, 8*s, 3, 30*s)},
		{name: "a first one before it", now: census.Socket{Probes: 1, Silence: 3 * s}, old: on(2*s, 8*s, 3, 0), target: on(2*s, 8*s, 3, 29*s), want: true},
		{name: "off", now: census.Socket{Probes: 9, Silence: 10 * s}, old: on(s, s, 9, 0), target: tcpopt.Config{UserTimeout: s}},
		{name: "data in flight", now: census.Socket{Probes: 9, Silence: 10 * s, Pending: 1}, old: on(s, s, 9, 0), target: on(s, s, 3, 0)},
		{name: "not connected", now: census.Socket{Silence: 10 * s}, target: within6, unheard: true},
	} {
		tt.now.Config, tt.now.Counted, tt.now.Heard = tt.old, true, !tt.unheard
		if got := risky(&tt.now, tt.target); got != tt.want {
			t.Errorf("%s: risky = %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A model is what tcp_keepalive_timer does with a connection whose peer does not
// answer, by the time of its silence.
type model struct {
	c      tcpopt.Config
	timer  time.Duration
	probes int
	last   time.Duration // the last probe went out
	dead   bool
}

// until lets the time pass.
func (m *model) until(now time.Duration) {
	for m.timer <= now && !m.dead {
		switch {
		case m.c.UserTimeout > 0 && m.timer >= m.c.UserTimeout && m.probes > 0, m.c.UserTimeout == 0 && m.probes >= m.c.Count:
			m.dead = true
		default:
			m.probes++
			m.last = m.timer
			m.timer += m.c.Interval
		}
	}
}

// set sets c at a time, and the timer if it is to.
func (m *model) set(c tcpopt.Config, now time.Duration, timer bool) {
	m.c = c
	if timer {
		m.timer = max(c.Idle, now)
	}
	m.until(now)
}

// TestUnanswered asks connections of any settings and any silence, as the kernel
// would have it if timers were exact: the last probe of one that was asked never
// goes out before the last one of its twin.
func TestUnanswered(t *testing.T) {
	const seed = 12
	random := rand.New(rand.NewPCG(seed, seed))
	asked := 0
	for range 200_000 {
		c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Duration(1+random.IntN(12)) * time.Second,
			Interval: time.Duration(1+random.IntN(8)) * time.Second, Count: 1 + random.IntN(9)}
		if random.IntN(2) == 0 {
			c.UserTimeout = time.Duration(1+random.IntN(30000)) * time.Millisecond
		}
		now := time.Duration(random.IntN(40000)) * time.Millisecond
		m := model{c: c, timer: c.Idle}
		if m.until(now); m.dead {
			continue
		}
		twin := m
		first := census.Socket{Config: c, Counted: true, Heard: true, Silence: now, Probes: m.probes}
		q, ok := question(&first, tcpopt.Config{})
		if !ok {
			continue
		}
		asked++
		m.set(q, now, true)
		end := now + patience + time.Duration(random.IntN(500))*time.Millisecond
		m.until(end)
		s := census.Socket{Config: q, Silence: end, Probes: m.probes}
		left := unanswered(&first, &s, tcpopt.Config{})
		m.set(left, end, left.Idle != q.Idle)
		m.until(time.Hour)
		twin.until(time.Hour)
		if what := fmt.Sprintf("%+v silent for %v", first.Config, now); !m.dead || m.last < twin.last || m.timer < twin.timer {
			t.Fatalf("%s: asked, its last probe is after %v and it ends after %v; its twin's %v and %v", what, m.last, m.timer, twin.last, twin.timer)
		}
	}
	if asked < 50_000 {
		t.Errorf("%d were asked, want a quarter at least", asked)
	}
}

// TestMilder changes connections of any settings and any silence to any others: one
// that is changed without an answer, although probes are out, is no worse off than
// its twin.
func TestMilder(t *testing.T) {
	const seed = 13
	random := rand.New(rand.NewPCG(seed, seed))
	any := func() tcpopt.Config {
		c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Duration(1+random.IntN(12)) * time.Second,
			Interval: time.Duration(1+random.IntN(8)) * time.Second, Count: 1 + random.IntN(20)}
		if random.IntN(2) == 0 {
			c.UserTimeout = time.Duration(1+random.IntN(90000)) * time.Millisecond
		}
		return c
	}
	changed := 0
	for range 500_000 {
		c, target := any(), any()
		if random.IntN(2) == 0 {
			target.Idle = c.Idle
		}
		if random.IntN(2) == 0 {
			target.Interval = c.Interval
		}
		now := time.Duration(random.IntN(40000)) * time.Millisecond
		m := model{c: c, timer: c.Idle}
		m.until(now)
		s := census.Socket{Config: c, Counted: true, Heard: true, Silence: now, Probes: m.probes}
		if m.dead || m.probes == 0 || risky(&s, target) {
			continue
		}
		changed++
		twin := m
		m.set(target, now, target.Idle != c.Idle)
		m.until(time.Hour)
		twin.until(time.Hour)
		if !m.dead || m.last < twin.last || m.timer < twin.timer {
			t.Fatalf("%+v silent for %v with %d probes out: as %+v its last probe is after %v and it ends after %v; its twin's %v and %v",
				c, now, s.Probes, target, m.last, m.timer, twin.last, twin.timer)
		}
	}
	if changed < 20_000 {
		t.Errorf("%d were changed, want 20,000 at least", changed)
	}
}

// TestQuestion is of a connection that had no keepalive: it has as long as a dead
// peer may go unnoticed.
func TestQuestion(t *testing.T) {
	within, err := tcpopt.Within(30 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	s := census.Socket{Counted: true, Heard: true, Silence: time.Hour, Probes: 4}
	c, ok := question(&s, within)
	want := tcpopt.Config{KeepAlive: tcpopt.On, Idle: within.Idle, Interval: time.Second, Count: 34}
	if !ok || c != want {
		t.Errorf("question = %+v, %v, want %+v", c, ok, want)
	}
	now := s
	now.Probes = 8
	want.Interval, want.Count = within.Interval, 8+6 // 27 s are left.
	if c := unanswered(&s, &now, within); c != want {
		t.Errorf("unanswered = %+v, want %+v", c, want)
	}
	now.Probes = 0
	if c := unanswered(&s, &now, within); c != s.Config {
		t.Errorf("answered = %+v, want %+v", c, s.Config)
	}
	s.Silence = 900 * time.Millisecond
	if c, ok := question(&s, within); ok {
		t.Errorf("after %v: question = %+v, want none", s.Silence, c)
	}
}
