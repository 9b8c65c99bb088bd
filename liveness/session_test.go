//go:build go1.25

package liveness_test

import (
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
)

// TestStop is I9.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr *trial
		tr = newHeartbeat(8*s, 5*s, nil)
		if tr.Stop() {
			t.Error("Stop() = true before Start")
		}
		tr.Start()
		tr.until(9 * s) // Between probe and verdict.
		if !tr.Stop() || tr.Stop() {
			t.Error("Stop() = false, or true twice")
		}
		tr.until(60 * s)
		tr.wantAlive(t)

		tr = newTrial(8 * s)
		record := tr.Dead
		tr.Dead = func(err error) {
			record(err)
			if tr.Stop() {
				t.Error("Stop() = true in Dead")
			}
		}
		tr.Start()
		if !tr.Stop() {
			t.Error("Stop() = false right after Start")
		}
		tr.until(60 * s)
		tr.wantAlive(t)
		tr.Start()
		tr.until(120 * s)
		tr.want(t, 68*s, liveness.Idle, 8*s)
	})
}

// TestRestart stops and starts at each moment of a silence.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for at := range 13 {
			release := make(chan struct{})
			tr := newHeartbeat(8*s, 5*s, func() error { <-release; return nil })
			tr.Start()
			tr.until(time.Duration(at) * s)
			if !tr.Stop() {
				continue // The verdict came at 12 to 13 s.
			}
			tr.until(20 * s)
			tr.Start()
			tr.until(100 * s)
			if len(tr.dead) != 1 {
				t.Fatalf("dead at %v, want once", tr.dead)
			}
			wantBetween(t, "verdict", tr.dead[0], 32*s, 33*s)
			if len(tr.probes) != 1 {
				t.Errorf("%d probes at once", len(tr.probes))
			}
			close(release)
		}
	})
}

// TestStaleLook starts again while a look of the former watch is under way.
func TestStaleLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrial(8 * s)
		var looks atomic.Int32
		tr.Progress = func() (tcpopt.Progress, error) {
			if looks.Add(1) == 2 {
				time.Sleep(2 * s)
				return tcpopt.Progress{}, nil
			}
			return tcpopt.Progress{Received: 5}, nil
		}
		tr.Start()
		tr.until(9 * s)
		tr.Stop()
		tr.Start()
		tr.until(60 * s)
		tr.want(t, 17*s, liveness.Idle, 8*s)
	})
}

// TestRaces lets Touch, Stop, Start, Last, answers, late probes and verdicts meet
// in real time. The race detector watches, and I9 is counted.
func TestRaces(t *testing.T) {
	var wg sync.WaitGroup
	for range 300 {
		wg.Go(func() {
			var dead, prevented, started, probing atomic.Int32
			var m *liveness.Monitor
			m = &liveness.Monitor{
				Idle:    500 * time.Microsecond,
				Timeout: 300 * time.Microsecond,
				Probe: func() error {
					if probing.Add(1) > 1 {
						t.Error("two probes at once")
					}
					defer probing.Add(-1)
					runtime.Gosched()
					switch started.Load() % 3 {
					case 0:
						return io.EOF
					case 1:
						time.Sleep(200 * time.Microsecond)
					}
					return nil
				},
				Progress: func() (tcpopt.Progress, error) { return tcpopt.Progress{Silence: -1}, nil },
				Dead: func(error) {
					dead.Add(1)
					if m.Stop() { // So late that it stops the next watch.
						prevented.Add(1)
					}
				},
			}
			done := make(chan struct{})
			var touches sync.WaitGroup
			touches.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						m.Touch()
						m.Last()
						time.Sleep(400 * time.Microsecond)
					}
				}
			})
			for range 50 {
				m.Start()
				started.Add(1)
				if started.Load()%5 > 0 {
					time.Sleep(time.Duration(started.Load()%7) * 200 * time.Microsecond)
				}
				var stops sync.WaitGroup
				for range 2 {
					stops.Go(func() {
						if m.Stop() {
							prevented.Add(1)
						}
					})
				}
				stops.Wait()
			}
			close(done)
			touches.Wait()
			for end := time.Now().Add(10 * s); dead.Load()+prevented.Load() < started.Load() && time.Now().Before(end); {
				time.Sleep(ms)
			}
			time.Sleep(5 * ms) // Another verdict would be one too many.
			if dead.Load()+prevented.Load() != started.Load() {
				t.Errorf("%d starts, %d verdicts, %d prevented", started.Load(), dead.Load(), prevented.Load())
			}
		})
	}
	wg.Wait()
}
