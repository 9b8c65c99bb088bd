//go:build go1.25

package liveness_test

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
)

// TestReason has a peer that never answers. The reason says whether its kernel has the
// probe.
func TestReason(t *testing.T) {
	const idle, timeout = 8 * s, 5 * s
	for _, tt := range []struct {
		name    string
		before  tcpopt.Progress
		unknown bool // when the probe is due
		written int64
		acked   int64
		waits   bool // Probe waits for the answer
		want    liveness.Reason
	}{
		{"written", tcpopt.Progress{}, false, 4, 0, false, liveness.NoProgress},
		{"acknowledged", tcpopt.Progress{}, false, 4, 4, false, liveness.NoReply},
		{"half of it acknowledged", tcpopt.Progress{}, false, 4, 2, false, liveness.NoProgress},
		{"acknowledged, other data not", tcpopt.Progress{Acked: 7}, false, 4, 4, false, liveness.NoReply},
		{"written, and waits", tcpopt.Progress{}, false, 4, 0, true, liveness.NoProgress},
		{"acknowledged, and waits", tcpopt.Progress{}, false, 4, 4, true, liveness.NoReply},
		{"half of it acknowledged, and waits", tcpopt.Progress{}, false, 4, 2, true, liveness.NoProgress},
		{"acknowledged behind others, and waits", tcpopt.Progress{Pending: 10}, false, 4, 14, true, liveness.NoReply},
		{"only the others acknowledged, not written", tcpopt.Progress{Pending: 10}, false, 0, 10, true, liveness.NoProgress},
		{"nothing written", tcpopt.Progress{Acked: 7}, false, 0, 0, true, liveness.NoProgress},
		{"acknowledged, and waits, after who knows what", tcpopt.Progress{}, true, 4, 4, true, liveness.NoProgress},
		{"acknowledged, and waits, by 32 bits", tcpopt.Progress{Acked: 1<<32 - 2}, false, 4, 4, true, liveness.NoReply},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &counters{p: tt.before}
				release := make(chan struct{})
				tr := newHeartbeat(idle, timeout, func() error {
					c.add(0, 0, tt.written)
					time.AfterFunc(10*ms, func() {
						c.add(0, tt.acked, -tt.acked)
						if tt.before.Acked > 1<<31 {
							c.add(0, -1<<32, 0) // The counter returns to zero.
						}
					})
					if tt.name == "acknowledged, other data not" {
						time.AfterFunc(20*ms, func() { c.add(0, 0, 100) })
					}
					if tt.waits {
						<-release
					}
					return nil
				})
				tr.Progress = func() (tcpopt.Progress, error) {
					if tt.unknown && len(tr.probes) == 0 {
						return tcpopt.Progress{}, io.EOF
					}
					return c.progress()
				}
				tr.Start()
				tr.until(60 * s)
				e, ok := asType[*liveness.Error](tr.err)
				if len(tr.dead) != 1 || !ok || e.Reason != tt.want {
					t.Errorf("dead at %v of %v, want of %v", tr.dead, tr.err, tt.want)
				}
				close(release)
			})
		})
	}
}

// wantReason fails the test unless there was one verdict, after this many probes, with
// the reason for a probe that was delivered or was not.
func (tr *trial) wantReason(t *testing.T, probes int, delivered bool) {
	t.Helper()
	want := liveness.NoProgress
	if delivered {
		want = liveness.NoReply
	}
	e, ok := asType[*liveness.Error](tr.err)
	if len(tr.dead) != 1 || len(tr.probes) != probes || !ok || e.Reason != want {
		t.Errorf("probed at %v, dead at %v of %v, want of %v", tr.probes, tr.dead, tr.err, want)
	}
}

// TestReasonOfEarlierProbe has a Probe that waits for an answer that does not come,
// while the peer says something else. The next round has no probe of its own.
func TestReasonOfEarlierProbe(t *testing.T) {
	for _, delivered := range []bool{false, true} {
		t.Run(fmt.Sprint("delivered ", delivered), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &counters{}
				release := make(chan struct{})
				tr := newHeartbeat(8*s, 5*s, func() error {
					if delivered {
						c.add(0, 4, 0)
					}
					<-release
					return nil
				})
				tr.Progress = c.progress
				tr.Start()
				tr.until(9 * s)
				tr.Touch()
				tr.until(60 * s)
				tr.wantReason(t, 1, delivered)
				close(release)
			})
		})
	}
}

// TestReasonOfSecondProbe has a Probe that returns late, for a round or a watch that
// waits to call it again. The second call does not return, and may not have written.
func TestReasonOfSecondProbe(t *testing.T) {
	for _, former := range []bool{false, true} {
		for _, delivered := range []bool{false, true} {
			t.Run(fmt.Sprintf("former %v, delivered %v", former, delivered), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := &counters{}
					first, second := make(chan struct{}), make(chan struct{})
					var tr *trial
					tr = newHeartbeat(8*s, 5*s, func() error {
						if len(tr.probes) == 1 {
							c.add(0, 4, 0)
							<-first
							return nil
						}
						if delivered {
							c.add(0, 4, 0)
						}
						<-second
						return nil
					})
					tr.Progress = c.progress
					tr.Start()
					tr.until(9 * s)
					if former {
						tr.Stop()
						tr.Start()
					} else {
						tr.Touch()
					}
					tr.until(18 * s) // The next is due by 17 s.
					close(first)
					tr.until(100 * s)
					tr.wantReason(t, 2, delivered)
					close(second)
				})
			})
		}
	}
}

// TestReasonFallsBack has a count of acknowledged bytes that falls a little, as on
// macOS and Windows, when everything is acknowledged.
func TestReasonFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counters{p: tcpopt.Progress{Acked: 1000}}
		tr := newHeartbeat(8*s, 5*s, func() error { c.add(0, 4, 0); return nil })
		tr.Progress = c.progress
		tr.Start()
		tr.until(10 * s)
		c.add(0, -2, 0)
		tr.until(60 * s)
		tr.want(t, tr.probes[0]+10*s, liveness.NoReply, tr.probes[0]+10*s)
	})
}
