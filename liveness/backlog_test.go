//go:build go1.25

package liveness_test

import (
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
)

// TestBacklog is I5: no verdict while the peer acknowledges data from before the probe,
// at least a byte per look, and one soon after it stops.
func TestBacklog(t *testing.T) {
	for _, tt := range []struct {
		name    string
		blocked time.Duration // how long Probe takes
		pending uint64        // before it, at first
	}{
		{"behind others", 0, 1000},
		{"not written for long", 200 * s, 1000},
		{"not written, by surprise", 200 * s, 0},
		{"not written for a while", 30 * s, 1000},
		{"behind others, by surprise", 300 * ms, 0},
	} {
		for _, times := range [][2]time.Duration{{2 * s, 5 * s}, {5 * s, 2 * s}} {
			idle, timeout, look := times[0], times[1], min(times[0], times[1])
			t.Run(fmt.Sprint(tt.name, " ", times), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := &counters{p: tcpopt.Progress{Acked: 1, Pending: tt.pending, Silence: -1}}
					tr := newHeartbeat(idle, timeout, func() error {
						c.add(0, 0, 1000-int64(tt.pending))
						time.Sleep(tt.blocked)
						return nil
					})
					tr.Progress = c.progress
					tr.Start()
					tr.until(idle)
					var stop time.Duration
					for range 50 {
						c.add(0, 1, -1)
						stop = tr.now()
						time.Sleep(look*7/8 - ms)
					}
					tr.wantAlive(t)
					tr.until(300 * s)
					if len(tr.dead) != 1 || len(tr.probes) != 1 {
						t.Fatalf("dead at %v, probed at %v, want once", tr.dead, tr.probes)
					}
					wantBetween(t, "dead after the last acknowledgment", tr.dead[0]-stop, timeout, timeout+look)
					tr.want(t, tr.dead[0], liveness.NoProgress, tr.dead[0])
				})
			})
		}
	}
}

// TestBacklogSeenLate has counters that fail at the time of the probe.
func TestBacklogSeenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int32
		c := &counters{p: tcpopt.Progress{Pending: 1000}}
		tr := newHeartbeat(2*s, 5*s, func() error { time.Sleep(100 * s); return nil })
		tr.Progress = func() (tcpopt.Progress, error) {
			if looks.Add(1) == 2 {
				return tcpopt.Progress{}, io.EOF
			}
			return c.progress()
		}
		tr.Start()
		for range 50 {
			time.Sleep(s)
			c.add(0, 1, -1)
		}
		tr.wantAlive(t)
		tr.until(101 * s)
		if len(tr.dead) != 1 {
			t.Fatalf("dead at %v, want once", tr.dead)
		}
		wantBetween(t, "verdict", tr.dead[0], 55*s, 57*s)
		time.Sleep(10 * s)
	})
}

// TestDelivered is I6: once the peer has acknowledged the probe it has one Timeout,
// whatever else it acknowledges. If nothing was before the probe, it has had that
// Timeout.
func TestDelivered(t *testing.T) {
	for _, tt := range []struct {
		name        string
		pending     uint64
		written     int64         // with the probe
		least, most time.Duration // from the probe to the verdict
	}{
		{"nothing before", 0, 4, 5 * s, 5 * s},
		{"something before", 10, 4, 6750 * ms, 7 * s}, // Seen at the first look, after Idle.
		{"much before", 1000, 4, 10 * s, 12 * s},
		{"much before, by surprise", 0, 1000, 10*s - 10*ms, 12 * s},
		// A byte per 5 ms takes 5 s, then a look follows.
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &counters{p: tcpopt.Progress{Pending: tt.pending, Silence: -1}}
				tr := newHeartbeat(2*s, 5*s, func() error { c.add(0, 0, tt.written); return nil })
				tr.Progress = c.progress
				tr.Start()
				stop := make(chan struct{})
				go func() { // Writes and acknowledges without end.
					time.Sleep(2*s + ms)
					for i := 0; ; i++ {
						select {
						case <-stop:
							return
						case <-time.After(5 * ms):
						}
						c.add(0, 1, 0)
					}
				}()
				tr.until(60 * s)
				close(stop)
				if len(tr.dead) != 1 {
					t.Fatalf("dead at %v, want once", tr.dead)
				}
				wantBetween(t, "verdict", tr.dead[0]-tr.probes[0], tt.least, tt.most)
				tr.want(t, tr.dead[0], liveness.NoReply, tr.dead[0])
			})
		})
	}
}

// TestDeliveredExactly is I6, too: a look finds everything up to the end of the probe
// acknowledged, and nothing else yet.
func TestDeliveredExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counters{p: tcpopt.Progress{Pending: 10}}
		tr := newHeartbeat(2*s, 5*s, func() error {
			c.add(0, 0, 4)
			time.AfterFunc(s, func() { c.add(0, 14, -14) })
			return nil
		})
		tr.Progress = c.progress
		tr.Start()
		tr.until(2 * s)
		tr.until(tr.probes[0] + 2*s)
		for range 20 {
			c.add(0, 1, 0)
			tr.until(tr.now() + s)
		}
		if len(tr.dead) != 1 {
			t.Fatalf("dead at %v, want once", tr.dead)
		}
		wantBetween(t, "verdict", tr.dead[0]-tr.probes[0], 6750*ms, 7*s) // The first look and Timeout.
	})
}

// TestBacklogFallsBack has a count of acknowledged bytes that falls a little between
// two looks, as on macOS and Windows: that is not the end of the backlog.
func TestBacklogFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counters{p: tcpopt.Progress{Acked: 1 << 40, Pending: 1000}}
		tr := newHeartbeat(2*s, 5*s, func() error { c.add(0, 0, 4); return nil })
		tr.Progress = c.progress
		tr.Start()
		for i := range 30 {
			tr.until(tr.now() + 2*s)
			c.add(0, []int64{5, -1}[i%2], -4)
		}
		tr.wantAlive(t)
		tr.Stop()
	})
}

// TestDeliveredAlone is I6 for a probe with nothing before it: a look that finds only
// the probe acknowledged is no reason to wait longer.
func TestDeliveredAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counters{}
		tr := newHeartbeat(2*s, 5*s, func() error {
			c.add(0, 0, 4)
			time.AfterFunc(s, func() { c.add(0, 4, -4) })
			return nil
		})
		tr.Progress = c.progress
		tr.Start()
		tr.until(60 * s)
		tr.want(t, tr.probes[0]+5*s, liveness.NoReply, tr.probes[0]+5*s)
	})
}

// TestDeliveredBeforeReturn is I6 for a Probe that returns after a look has found
// everything acknowledged: what others write then is behind the probe.
func TestDeliveredBeforeReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counters{}
		tr := newHeartbeat(2*s, 5*s, func() error {
			c.add(0, 4, 0)
			time.Sleep(3 * s)
			time.AfterFunc(100*ms, func() { c.add(0, 1, 0) })
			return nil
		})
		tr.Progress = c.progress
		tr.Start()
		tr.until(60 * s)
		if len(tr.dead) != 1 {
			t.Fatalf("dead at %v, want once", tr.dead)
		}
		wantBetween(t, "verdict", tr.dead[0]-tr.probes[0], 6750*ms, 7*s) // The first look and Timeout.
	})
}
