//go:build go1.25

package liveness_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
)

// TestFormerProbe has a Probe that returns after its watch has ended and another has
// begun. The new watch ignores its result, and its own probes are answered.
func TestFormerProbe(t *testing.T) {
	const idle, timeout = 8 * s, 5 * s
	for _, ending := range []string{"stop", "verdict"} {
		for _, result := range []error{nil, io.ErrClosedPipe} {
			t.Run(fmt.Sprint(ending, " ", result), func(t *testing.T) {
				// Before the second watch's probe is due, between that and its Timeout,
				// and so late that there is a verdict.
				for late := 100 * ms; late < 20*s; late += 300 * ms {
					synctest.Test(t, func(t *testing.T) { formerProbe(t, idle, timeout, ending, late, result) })
				}
			})
		}
	}
}

func formerProbe(t *testing.T, idle, timeout time.Duration, ending string, late time.Duration, result error) {
	release := make(chan struct{})
	var first atomic.Bool
	var tr *trial
	tr = newHeartbeat(idle, timeout, func() error {
		if first.CompareAndSwap(false, true) {
			<-release
			return result
		}
		time.AfterFunc(timeout-ms, tr.Touch) // The answer needs all of Timeout.
		return nil
	})
	started := make(chan time.Duration, 1)
	record := tr.Dead
	tr.Dead = func(err error) {
		record(err)
		if len(tr.dead) == 1 && ending == "verdict" {
			tr.Start()
			started <- tr.now()
		}
	}
	tr.Start()
	tr.until(idle)
	if ending == "stop" {
		if !tr.Stop() {
			t.Fatal("Stop() = false while Probe runs")
		}
		tr.Start()
		started <- tr.now()
	}
	start := <-started
	before := len(tr.dead)
	tr.until(start + late)
	close(release)
	tr.until(start + 100*s)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	dead := tr.dead[before:]
	switch {
	case late <= idle*7/8+timeout-ms && len(dead) > 0:
		t.Errorf("Probe returned %v after Start: dead at %v of %v, want alive", late, dead[0]-start, tr.err)
	case late > idle+timeout:
		e, ok := asType[*liveness.Error](tr.err)
		if len(dead) != 1 || !ok || e.Reason != liveness.NoProgress {
			t.Fatalf("Probe returned %v after Start: dead at %v of %v, want no progress, once", late, dead, tr.err)
		}
		wantBetween(t, "verdict", dead[0]-start, idle*7/8+timeout, idle+timeout)
	}
	if len(dead) == 0 && len(tr.probes) < 7 {
		t.Errorf("probed at %v, want on and on", tr.probes)
	}
	tr.Stop()
}

// TestFormerResults ends a watch in each way while its Probe is blocked, and closes the
// connection before or after the next watch begins. A verdict is never the result of a
// former watch's Probe.
func TestFormerResults(t *testing.T) {
	for _, ending := range []string{"stop", "verdict"} {
		for _, order := range []string{"start, close", "close, start"} {
			t.Run(ending+", "+order, func(t *testing.T) {
				t.Parallel()
				var wg sync.WaitGroup
				for range 1000 {
					wg.Go(func() { formerResults(t, ending, order) })
				}
				wg.Wait()
			})
		}
	}
}

type probeError struct {
	watch int32
	error
}

func formerResults(t *testing.T, ending, order string) {
	near, far := net.Pipe()
	defer far.Close()
	var watch, dead atomic.Int32
	probing, second := make(chan struct{}, 100), make(chan struct{})
	watch.Store(1)
	var m *liveness.Monitor
	next := func() {
		start := func() {
			if watch.Add(1); watch.Load() == 2 {
				m.Start()
			}
		}
		if order == "start, close" {
			start()
			time.Sleep(rand.N(4 * ms)) // The second may have its own probe due.
			near.Close()
		} else {
			near.Close()
			start()
		}
	}
	m = &liveness.Monitor{
		Idle:    ms,
		Timeout: ms,
		Probe: func() error {
			w := watch.Load()
			probing <- struct{}{}
			if _, err := near.Write([]byte{1}); err != nil {
				return probeError{w, err}
			}
			return nil
		},
		Progress: func() (tcpopt.Progress, error) { return tcpopt.Progress{Silence: -1}, nil },
		Dead: func(err error) {
			w := watch.Load()
			if e, ok := asType[probeError](err); ok && e.watch != w {
				t.Errorf("watch %d ended with the Probe of watch %d: %v", w, e.watch, err)
			}
			switch dead.Add(1) {
			case 1:
				if w == 1 {
					next()
				} else {
					close(second)
				}
			case 2:
				close(second)
			default:
				t.Errorf("%d verdicts of two watches", dead.Load())
			}
		},
	}
	if ending == "stop" {
		m.Timeout = time.Hour
	}
	m.Start()
	<-probing
	if ending == "stop" {
		if !m.Stop() {
			t.Error("Stop() = false while Probe is blocked")
		}
		next()
	}
	<-second // From its own Probe, or none.
}

// TestFormerProbeReason has a former watch's Probe that does not return: no bytes
// acknowledged meanwhile can be this watch's probe.
func TestFormerProbeReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counters{p: tcpopt.Progress{Acked: 7}}
		release := make(chan struct{})
		tr := newHeartbeat(8*s, 5*s, func() error { <-release; return nil })
		tr.Progress = c.progress
		tr.Start()
		tr.until(9 * s)
		tr.Stop()
		tr.Start()
		tr.until(18 * s)
		c.add(0, 10, 0) // Others have written.
		tr.until(100 * s)
		e, ok := asType[*liveness.Error](tr.err)
		if len(tr.dead) != 1 || !ok || e.Reason != liveness.NoProgress {
			t.Errorf("dead at %v of %v, want no progress, once", tr.dead, tr.err)
		}
		close(release)
	})
}
