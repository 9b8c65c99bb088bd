//go:build go1.25

package liveness_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
)

// TestUselessCounters is I11 and more: counters that say nothing change nothing.
func TestUselessCounters(t *testing.T) {
	var calls atomic.Uint64
	next := func() uint64 { return calls.Add(1) }
	for name, progress := range map[string]func() (tcpopt.Progress, error){
		"none":        nil,
		"zero":        zero,
		"constant":    func() (tcpopt.Progress, error) { return tcpopt.Progress{Received: 7, Acked: 7}, nil },
		"pending":     func() (tcpopt.Progress, error) { return tcpopt.Progress{Pending: 9}, nil },
		"failing":     func() (tcpopt.Progress, error) { return tcpopt.Progress{}, errors.ErrUnsupported },
		"failing, up": func() (tcpopt.Progress, error) { return tcpopt.Progress{Received: next(), Acked: next()}, io.EOF },
		"sometimes": func() (tcpopt.Progress, error) {
			if next()%2 == 0 {
				return tcpopt.Progress{}, net.ErrClosed
			}
			return tcpopt.Progress{Received: 7, Acked: 7, Pending: 1 << 40}, nil
		},
		"seldom": func() (tcpopt.Progress, error) {
			if next()%3 > 0 {
				return tcpopt.Progress{}, net.ErrClosed
			}
			return tcpopt.Progress{Received: 7, Acked: 7, Pending: 1 << 40}, nil
		},
		"mostly": func() (tcpopt.Progress, error) {
			if next()%5 == 3 {
				return tcpopt.Progress{}, net.ErrClosed
			}
			return tcpopt.Progress{Received: 7, Acked: 7, Pending: 1 << 40}, nil
		},
		"shrinking": func() (tcpopt.Progress, error) {
			n := next()
			return tcpopt.Progress{Received: 7, Acked: 1<<40 - n, Pending: 1000}, nil
		},
		"wrapping": func() (tcpopt.Progress, error) {
			if next() < 6 { // In the middle of the second probe.
				return tcpopt.Progress{Received: 7, Acked: math.MaxUint64, Pending: 5}, nil
			}
			return tcpopt.Progress{Received: 7, Acked: 3}, nil
		},
		"of no connection": func() (tcpopt.Progress, error) {
			return tcpopt.Progress{Received: next(), Aborted: true}, nil
		},
		"wrapped pending": func() (tcpopt.Progress, error) {
			return tcpopt.Progress{Acked: math.MaxUint64 - 1<<30 + next(), Pending: math.MaxUint64 - 1<<31}, nil
		},
	} {
		for _, timeout := range []time.Duration{5 * s, 60 * s} {
			synctest.Test(t, func(t *testing.T) {
				calls.Store(0)
				answered := 0
				var tr *trial
				tr = newHeartbeat(8*s, timeout, func() error {
					if answered++; answered <= 3 {
						time.AfterFunc(3*s, tr.Touch)
					}
					return nil
				})
				tr.Progress = progress
				tr.Start()
				tr.until(300 * s)
				if len(tr.probes) != 4 || len(tr.dead) != 1 {
					t.Fatalf("%s: probed at %v, dead at %v, want four probes and a verdict", name, tr.probes, tr.dead)
				}
				for i, at := range tr.probes {
					since := time.Duration(0)
					if i > 0 {
						since = tr.probes[i-1] + 3*s
					}
					wantBetween(t, "probe", at-since, 7*s, 8*s)
				}
				if at := tr.dead[0] - tr.probes[3]; at != timeout {
					t.Errorf("%s: verdict %v after the probe, want %v", name, at, timeout)
				}
				e, _ := asType[*liveness.Error](tr.err)
				if want := tr.dead[0] - tr.probes[2] - 3*s; e == nil || e.Silent != want || e.Reason == liveness.Idle {
					t.Errorf("%s: verdict %v, want one after %v", name, tr.err, want)
				}

				tr = newTrial(8 * s)
				tr.Progress = progress
				tr.Start()
				tr.until(100 * s)
				tr.want(t, 8*s, liveness.Idle, 8*s)
			})
		}
	}
}

// TestUnknownEnd is I11, too: the end of the probe is unknown.
func TestUnknownEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counters{p: tcpopt.Progress{Pending: 1}}
		var probed atomic.Bool
		tr := newHeartbeat(2*s, 5*s, func() error { probed.Store(true); return nil })
		tr.Progress = func() (tcpopt.Progress, error) {
			c.add(0, 1, 0)
			if probed.Swap(false) {
				return tcpopt.Progress{}, io.EOF
			}
			return c.progress()
		}
		tr.Start()
		tr.until(60 * s)
		tr.want(t, tr.probes[0]+5*s, liveness.NoReply, tr.probes[0]+5*s)
	})
}

// TestWrap has a 32-bit count, like FreeBSD's, that returns to zero between a probe and
// its acknowledgment. The peer is frozen, and a little is written.
func TestWrap(t *testing.T) {
	for _, base := range []uint32{1000, math.MaxUint32 - 100} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			p := tcpopt.Progress{Silence: -1}
			acked := base
			write := func(n uint64) {
				mu.Lock()
				defer mu.Unlock()
				p.Pending += n
			}
			tr := newHeartbeat(2*s, 5*s, func() error { write(204); return nil })
			tr.Progress = func() (tcpopt.Progress, error) {
				mu.Lock()
				defer mu.Unlock()
				p.Acked = uint64(acked)
				return p, nil
			}
			tr.Start()
			go func() {
				for range 600 {
					time.Sleep(100 * ms)
					write(1)
					mu.Lock()
					n := min(p.Pending, 100)
					acked, p.Pending = acked+uint32(n), p.Pending-n
					mu.Unlock()
				}
			}()
			tr.until(60 * s)
			if len(tr.dead) != 1 || tr.dead[0] > tr.probes[0]+2*5*s {
				t.Errorf("from %d: probes at %v, dead at %v, want within twice Timeout", base, tr.probes, tr.dead)
			}
			tr.Stop()
			time.Sleep(s)
		})
	}
}

// TestReceivedWraps has a 32-bit count, like FreeBSD's, and nobody calls Touch. The
// peer sends so much between two looks that the count falls, by little or by much, or
// stays ahead.
func TestReceivedWraps(t *testing.T) {
	for _, rate := range []uint32{1, 1 << 20, 1<<30 + 1, 1<<31 + 1, math.MaxUint32} { // in bytes per second
		for _, probe := range []bool{false, true} {
			t.Run(fmt.Sprint(rate, " probe ", probe), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					tr := newTrial(9 * s)
					if probe {
						tr = newHeartbeat(9*s, 5*s, nil)
					}
					const end = 600 * s
					tr.Progress = func() (tcpopt.Progress, error) {
						received := math.MaxUint32 - 1000 + rate*uint32(min(tr.now(), end)/s)
						return tcpopt.Progress{Received: uint64(received), Silence: -1}, nil
					}
					tr.Start()
					tr.until(end)
					tr.wantAlive(t)
					if len(tr.probes) > 0 {
						t.Errorf("probed at %v while bytes came", tr.probes)
					}
					tr.until(end + 60*s)
					if len(tr.dead) != 1 {
						t.Fatalf("dead at %v, want once, after the last byte", tr.dead)
					}
				})
			})
		}
	}
}
