//go:build go1.25

package liveness_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
)

// TestUnread is I7: what the kernel has received is a sign of life, read or not.
func TestUnread(t *testing.T) {
	for _, probe := range []bool{false, true} {
		t.Run(fmt.Sprint("probe ", probe), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &counters{}
				tr := newTrial(8 * s)
				if probe {
					tr = newHeartbeat(8*s, 5*s, nil)
				}
				tr.Progress = func() (tcpopt.Progress, error) {
					p, err := c.progress()
					p.Silence = tr.now() - time.Duration(p.Acked) // Here Acked is when it came.
					return p, err
				}
				tr.Start()
				var last time.Duration
				for range 50 {
					time.Sleep(5 * s)
					c.add(1, int64(tr.now()-last), 0)
					last = tr.now()
				}
				tr.wantAlive(t)
				tr.until(last + 8*s)
				if got := tr.Last().Sub(tr.start); got != last {
					t.Errorf("Last() = %v after the start, want %v", got, last)
				}
				tr.until(last + 60*s)
				if !probe {
					tr.want(t, last+8*s, liveness.Idle, 8*s)
					return
				}
				if len(tr.probes) != 1 {
					t.Fatalf("probed at %v, want once, after the last byte at %v", tr.probes, last)
				}
				wantBetween(t, "probe", tr.probes[0], last+7*s, last+8*s)
				tr.want(t, tr.probes[0]+5*s, liveness.NoReply, tr.probes[0]+5*s-last)
			})
		})
	}
}

// TestUnreadAnswer has an answer that nobody reads, and an OS that does not say when it
// came.
func TestUnreadAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counters{p: tcpopt.Progress{Silence: -s}}
		tr := newHeartbeat(8*s, 5*s, func() error {
			time.AfterFunc(4*s, func() { c.add(1, 0, 0) })
			return nil
		})
		tr.Progress = c.progress
		tr.Start()
		tr.until(600 * s)
		tr.wantAlive(t)
		for i := 1; i < len(tr.probes); i++ {
			wantBetween(t, "round", tr.probes[i]-tr.probes[i-1], 4*s+7*s, 5*s+8*s)
		}
		tr.Stop()
	})
}

// TestReadIsNotUnread has a peer that dies after much was read. Read bytes must not
// count as unread, or the verdict is late.
func TestReadIsNotUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i := range 200 {
			c := &counters{} // Silence 0, as if acknowledgments came all the time.
			tr := newHeartbeat(8*s, 5*s, nil)
			tr.Progress = c.progress
			tr.Start()
			for range i {
				time.Sleep(137 * ms)
				c.add(1, 0, 0)
				tr.Touch()
			}
			last := tr.now()
			tr.until(last + 60*s)
			if len(tr.dead) != 1 {
				t.Fatalf("dead at %v, want once", tr.dead)
			}
			wantBetween(t, "verdict", tr.dead[0]-last, 12*s, 13*s)
		}
	})
}

// TestUnreadBytes has bytes that are not read for a minute: Timeout, or Idle, restarts
// at each look.
func TestUnreadBytes(t *testing.T) {
	for _, probe := range []bool{false, true} {
		for _, fails := range []error{nil, errors.ErrUnsupported} {
			synctest.Test(t, func(t *testing.T) {
				tr := newTrial(9 * s)
				if probe {
					tr = newHeartbeat(9*s, 5*s, nil)
				}
				tr.Progress = func() (tcpopt.Progress, error) {
					p := tcpopt.Progress{Received: 7, Silence: -1}
					if tr.now() < 60*s {
						p.Unread = 7
					}
					return p, fails
				}
				tr.Start()
				tr.until(200 * s)
				switch {
				case fails != nil && probe:
					tr.want(t, tr.probes[0]+5*s, liveness.NoReply, tr.probes[0]+5*s)
				case fails != nil:
					tr.want(t, 9*s, liveness.Idle, 9*s)
				case probe:
					look := tr.probes[0] + (60*s-tr.probes[0])/(5*s)*5*s // the last before the minute is over
					tr.want(t, look+5*s, liveness.NoReply, look+5*s)
				default:
					tr.want(t, 63*s, liveness.Idle, 63*s)
				}
				if len(tr.probes) > 1 {
					t.Errorf("probes at %v, want one", tr.probes)
				}
			})
		}
	}
}
