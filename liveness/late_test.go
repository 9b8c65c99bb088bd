//go:build go1.25

package liveness_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
)

// TestLateTimer is I8: a late timer is our own fault, once in a silence. Progress takes
// long, which delays the Monitor like a stopped process.
func TestLateTimer(t *testing.T) {
	for _, tt := range []struct {
		name    string
		probe   bool
		stalls  []time.Duration // of each look
		verdict time.Duration   // from the time of the first stall
	}{
		{"not late", true, []time.Duration{0, 0, 2500 * ms}, 2500 * ms},
		{"late", true, []time.Duration{0, 0, 2501 * ms}, 2501*ms + 5*s},
		{"late twice", true, []time.Duration{0, 0, 6 * s, 6 * s}, 6*s + 5*s + 6*s},
		{"idle, not late", false, []time.Duration{0, 4 * s}, 4 * s},
		{"idle, late", false, []time.Duration{0, 4001 * ms}, 4001*ms + 8*s},
		{"idle, late twice", false, []time.Duration{0, 5 * s, 5 * s}, 5*s + 8*s + 5*s},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newTrial(8 * s)
				if tt.probe {
					tr = newHeartbeat(8*s, 5*s, nil)
				}
				var looks atomic.Int32
				tr.Progress = func() (tcpopt.Progress, error) {
					if looks.Load() == 2 && int64(tr.now()) == tr.probed.Load() {
						return tcpopt.Progress{}, errors.ErrUnsupported // At the end of Probe.
					}
					if n := int(looks.Add(1)); n <= len(tt.stalls) {
						time.Sleep(tt.stalls[n-1])
					}
					return tcpopt.Progress{}, errors.ErrUnsupported
				}
				tr.Start()
				tr.until(100 * s)
				due, reason := 8*s, liveness.Idle
				if tt.probe {
					due, reason = tr.probes[0]+5*s, liveness.NoReply
				}
				tr.want(t, due+tt.verdict, reason, due+tt.verdict)
			})
		})
	}
	t.Run("idle, forgiven again after life", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			tr := newTrial(8 * s)
			tr.Progress = func() (tcpopt.Progress, error) {
				if at := tr.now(); at == 8*s || at == 23*s {
					time.Sleep(5 * s)
				}
				return tcpopt.Progress{}, errors.ErrUnsupported
			}
			tr.Start()
			tr.until(15 * s)
			tr.Touch()
			tr.until(100 * s)
			tr.want(t, 36*s, liveness.Idle, 21*s) // 23 s, late until 28 s, once more.
		})
	})
	t.Run("forgiven again after life", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			tr := newHeartbeat(8*s, 5*s, nil)
			tr.Progress = func() (tcpopt.Progress, error) {
				if at := tr.probed.Load(); at > 0 && tr.now() == time.Duration(at)+5*s {
					time.Sleep(4 * s) // The answer waits meanwhile.
					time.AfterFunc(s, tr.Touch)
				}
				return tcpopt.Progress{}, errors.ErrUnsupported
			}
			tr.Start()
			tr.until(600 * s)
			tr.wantAlive(t)
			tr.Stop()
			time.Sleep(5 * s) // The last look may still run.
		})
	})
}

// TestExcusedOnceMore has a timer that is late by 5 s in each of two watches.
func TestExcusedOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrial(8 * s)
		looks := 0
		tr.Progress = func() (tcpopt.Progress, error) {
			if looks++; looks == 2 || looks == 4 {
				time.Sleep(5 * s)
			}
			return tcpopt.Progress{}, errors.ErrUnsupported
		}
		tr.Start()
		tr.until(14 * s)
		tr.Stop()
		tr.Start()
		tr.until(100 * s)
		tr.want(t, 35*s, liveness.Idle, 21*s) // 14 + 8 + 5 + 8
	})
}
