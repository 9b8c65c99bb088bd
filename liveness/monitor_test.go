//go:build go1.25

package liveness_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpopt/tcpopt/liveness"
)

func TestLast(t *testing.T) {
	tr := newTrial(time.Hour)
	if last := tr.Last(); !last.IsZero() {
		t.Errorf("Last() = %v before Start, want the zero Time", last)
	}
	before := time.Now()
	tr.Start()
	defer tr.Stop()
	started := tr.Last()
	if started.Before(before) || started.After(time.Now()) {
		t.Errorf("Last() = %v after Start, want now", started)
	}
	for range 3 {
		if again := tr.Last(); !again.Equal(started) {
			t.Errorf("Last() = %v, then %v", started, again)
		}
	}
	before = time.Now()
	tr.Touch()
	if last := tr.Last(); last.Before(before.Add(-time.Microsecond)) || last.After(time.Now()) {
		t.Errorf("Last() = %v after Touch, want now", last)
	}
}

func TestStartPanics(t *testing.T) {
	dead := func(error) {}
	probe := func() error { return nil }
	for name, m := range map[string]*liveness.Monitor{
		"no Idle":          {Dead: dead},
		"negative Idle":    {Idle: -1, Dead: dead},
		"no Timeout":       {Idle: s, Probe: probe, Dead: dead},
		"negative Timeout": {Idle: s, Timeout: -1, Probe: probe, Dead: dead},
		"no Dead":          {Idle: s},
		"running": func() *liveness.Monitor {
			m := &liveness.Monitor{Idle: time.Hour, Dead: dead}
			m.Start()
			return m
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("Start() did not panic")
				}
				if m.Stop() != (name == "running") {
					t.Error("Start() did not leave it unchanged")
				}
			}()
			m.Start()
		})
	}
}

// TestExtremes has the shortest and the longest times.
func TestExtremes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newHeartbeat(1, 1, nil)
		tr.Start()
		tr.until(s)
		tr.want(t, 1001, liveness.NoReply, 1001)

		tr = newHeartbeat(math.MaxInt64, math.MaxInt64, nil)
		tr.Start()
		tr.until(200 * 365 * 24 * time.Hour)
		tr.wantAlive(t)
		tr.Stop()

		tr = newHeartbeat(s, math.MaxInt64, nil)
		tr.Start()
		tr.until(10 * s)
		tr.wantAlive(t)
		tr.Stop()
	})
}

// TestTouchSeldom has calls of Touch so close together that one is enough.
func TestTouchSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrial(s)
		tr.Start()
		for _, tt := range [][2]time.Duration{{999, 0}, {1000, 1000}, {1001, 1000}, {1999, 1000}, {2000, 2000}} {
			at, want := tt[0], tt[1]
			tr.until(at)
			tr.Touch()
			if last := tr.Last().Sub(tr.start); last != want {
				t.Errorf("Last() = %v after Touch at %v, want %v", last, at, want)
			}
		}
		tr.Stop()
	})
}
