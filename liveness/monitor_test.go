package liveness_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/netlab"
	"github.com/tcpopt/tcpopt/liveness"
)

func TestMain(m *testing.M) {
	if role := os.Getenv("LIVENESS_TEST_ROLE"); role != "" {
		os.Exit(roles[role]())
	}
	netlab.Enter()                  // Where it fails, NewHost says why.
	flag.Set("test.parallel", "64") // Tests of real links wait for a kernel, not for a processor.
	os.Exit(m.Run())
}

// roles are what the test program does for a test in a process of its own.
var roles = map[string]func() int{}

const (
	ms = time.Millisecond
	s  = time.Second
)

// A trial is a Monitor on the fake clock, with what it did.
type trial struct {
	liveness.Monitor
	start  time.Time
	mu     sync.Mutex
	probes []time.Duration // when Probe was called
	probed atomic.Int64    // the last of them, for Progress
	dead   []time.Duration // when Dead was called
	err    error
}

// newTrial returns a trial without a Probe.
func newTrial(idle time.Duration) *trial {
	tr := &trial{start: time.Now()}
	tr.Idle = idle
	tr.Dead = func(err error) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.dead = append(tr.dead, tr.now())
		tr.err = err
	}
	return tr
}

// newHeartbeat returns a trial whose Probe calls probe, if that is not nil.
func newHeartbeat(idle, timeout time.Duration, probe func() error) *trial {
	tr := newTrial(idle)
	tr.Timeout = timeout
	tr.Probe = func() error {
		tr.mu.Lock()
		tr.probes = append(tr.probes, tr.now())
		tr.mu.Unlock()
		tr.probed.Store(int64(tr.now()))
		if probe == nil {
			return nil
		}
		return probe()
	}
	return tr
}

func (tr *trial) now() time.Duration { return time.Since(tr.start) }

// until sleeps until d after the start. What the test has looked at before, the
// Monitor may then write.
func (tr *trial) until(d time.Duration) {
	tr.mu.Lock()
	left := d - tr.now()
	tr.mu.Unlock()
	time.Sleep(left)
	synctest.Wait()
}

// want fails the test unless the verdict was as given.
func (tr *trial) want(t *testing.T, at time.Duration, reason liveness.Reason, silent time.Duration) {
	t.Helper()
	e, ok := errors.AsType[*liveness.Error](tr.err)
	if len(tr.dead) != 1 || tr.dead[0] != at || !ok || e.Reason != reason || e.Silent != silent {
		t.Errorf("dead at %v of %v, want at %v of %v after %v", tr.dead, tr.err, at, reason, silent)
	}
}

func (tr *trial) wantAlive(t *testing.T) {
	t.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(tr.dead) > 0 {
		t.Errorf("dead at %v of %v, want alive", tr.dead, tr.err)
	}
}

// wantBetween fails the test unless d is in [least, most].
func wantBetween(t *testing.T, what string, d, least, most time.Duration) {
	t.Helper()
	if d < least || d > most {
		t.Errorf("%s = %v, want %v to %v", what, d, least, most)
	}
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrial(10 * s)
		tr.Start()
		tr.until(3 * s)
		tr.Touch()
		tr.until(9 * s)
		tr.Touch()
		tr.until(60 * s)
		tr.want(t, 19*s, liveness.Idle, 10*s)
	})
}

// TestIdleAgain is an idle timeout that fires again and again, and leaves the
// decision to the application.
func TestIdleAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrial(10 * s)
		record := tr.Dead
		tr.Dead = func(err error) {
			record(err)
			tr.Start()
		}
		tr.Start()
		tr.until(35 * s)
		if !tr.Stop() {
			t.Error("Stop() = false of a running Monitor")
		}
		tr.until(100 * s)
		if fmt.Sprint(tr.dead) != "[10s 20s 30s]" {
			t.Errorf("fired at %v, want at 10s, 20s, 30s", tr.dead)
		}
	})
}

// TestQuietWhileAlive is I1: a peer that shows life often enough is not probed.
func TestQuietWhileAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newHeartbeat(8*s, s, nil)
		tr.Start()
		for range 1000 {
			time.Sleep(7*s - 1)
			tr.Touch()
		}
		if len(tr.probes) > 0 {
			t.Errorf("probed at %v a peer that was never silent for 7 s", tr.probes)
		}
		tr.until(tr.now() + 8*s)
		if len(tr.probes) != 1 {
			t.Errorf("probed %d times a peer that was silent for Idle, want once", len(tr.probes))
		}
		tr.Stop()
	})
}

// TestOneProbe is I2: there are never two probes, not even when the first one
// blocks and the peer lives on.
func TestOneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		running := 0
		tr := newHeartbeat(4*s, 3*s, func() error {
			running++
			if running > 1 {
				t.Errorf("%d probes at once", running)
			}
			<-release
			running--
			return nil
		})
		tr.Start()
		for range 20 { // Each time it is just in time.
			time.Sleep(6 * s)
			tr.Touch()
		}
		synctest.Wait()
		tr.wantAlive(t)
		if len(tr.probes) != 1 {
			t.Errorf("%d probes while the first has not returned, want 1", len(tr.probes))
		}
		close(release)
		tr.until(tr.now() + 5*s)
		if len(tr.probes) != 2 {
			t.Errorf("%d probes after the first has returned, want 2", len(tr.probes))
		}
		tr.Stop()
	})
}

// TestLateProbe has a Probe that returns after the answer, in the next round, or
// blocks for long and then goes through. The peer answers whatever it gets.
func TestLateProbe(t *testing.T) {
	for _, written := range []time.Duration{0, 10 * s} {
		synctest.Test(t, func(t *testing.T) {
			var tr *trial
			tr = newHeartbeat(4*s, 3*s, func() error {
				time.Sleep(written)
				time.AfterFunc(10*ms, tr.Touch)
				time.Sleep(10*s - written)
				return nil
			})
			tr.Start()
			if written > 0 { // Other signs of life, meanwhile.
				for range 200 {
					time.Sleep(5 * s)
					tr.Touch()
				}
			} else {
				time.Sleep(8 * s)
				tr.Touch()
				tr.until(15500 * ms) // The first Probe returned at 14 s at the latest.
				if len(tr.probes) != 2 {
					t.Errorf("probed at %v, want again", tr.probes)
				}
			}
			synctest.Wait()
			tr.wantAlive(t)
			tr.Stop()
			tr.until(tr.now() + 20*s) // Until Probe has returned.
		})
	}
}

// TestVerdictInTime is I3: Timeout after the probe, which comes 7/8 Idle to Idle
// after the last sign of life, and never at a time that others share.
func TestVerdictInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[time.Duration]bool{}
		var least, most time.Duration = math.MaxInt64, 0
		for range 1000 {
			tr := newHeartbeat(8*s, 5*s, nil)
			tr.Start()
			tr.until(3 * s)
			tr.Touch()
			tr.until(60 * s)
			if len(tr.probes) != 1 {
				t.Fatalf("%d probes, want 1", len(tr.probes))
			}
			probe := tr.probes[0]
			wantBetween(t, "probe", probe, 10*s, 11*s)
			tr.want(t, probe+5*s, liveness.NoReply, probe+2*s)
			seen[probe] = true
			least, most = min(least, probe), max(most, probe)
		}
		if len(seen) < 900 || least > 10010*ms || most < 10990*ms {
			t.Errorf("%d different times from %v to %v, want 1000 from 10s to 11s", len(seen), least, most)
		}
	})
}

// TestJitterAnew looks at one Monitor: its rounds differ too.
func TestJitterAnew(t *testing.T) {
	for _, timeout := range []time.Duration{5 * s, 60 * s} {
		synctest.Test(t, func(t *testing.T) {
			var tr *trial
			tr = newHeartbeat(8*s, timeout, func() error { tr.Touch(); return nil })
			tr.Start()
			tr.until(3600 * s)
			tr.Stop()
			seen := map[time.Duration]bool{}
			for i := 1; i < len(tr.probes); i++ {
				d := tr.probes[i] - tr.probes[i-1]
				wantBetween(t, "round", d, 7*s, 8*s)
				seen[d] = true
			}
			if len(tr.probes) < 450 || len(seen) < 400 {
				t.Errorf("%d probes, %d different rounds, want more than 450 and 400", len(tr.probes), len(seen))
			}
		})
	}
}

// TestBlockedProbe is I4: a probe that cannot be written delays nothing.
func TestBlockedProbe(t *testing.T) {
	for _, progress := range []func() (tcpopt.Progress, error){nil, zero} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			defer far.Close()
			tr := newHeartbeat(8*s, 5*s, func() error {
				_, err := near.Write([]byte{1})
				return err
			})
			tr.Progress = progress
			tr.Start()
			tr.until(60 * s)
			tr.want(t, tr.probes[0]+5*s, liveness.NoProgress, tr.probes[0]+5*s)
			near.Close() // Its error comes after the verdict.
			synctest.Wait()
			if len(tr.dead) != 1 {
				t.Errorf("dead at %v, want once", tr.dead)
			}
		})
	}
}

// TestProbeError has a connection that is known to be broken.
func TestProbeError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newHeartbeat(8*s, 5*s, func() error {
			time.Sleep(s)
			return io.ErrClosedPipe
		})
		tr.Start()
		tr.until(60 * s)
		if len(tr.dead) != 1 || tr.dead[0] != tr.probes[0]+s || tr.err != io.ErrClosedPipe {
			t.Errorf("dead at %v of %v, want at %v of Probe's error", tr.dead, tr.err, tr.probes[0]+s)
		}
		if tr.Stop() {
			t.Error("Stop() = true after the verdict")
		}
		tr.Start()
		tr.until(120 * s)
		if len(tr.probes) != 2 || len(tr.dead) != 2 {
			t.Errorf("probed at %v, dead at %v, want both again after Start", tr.probes, tr.dead)
		}
	})
}

// TestProbeErrorAfterStop is I9 too.
func TestProbeErrorAfterStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newHeartbeat(8*s, 5*s, func() error {
			time.Sleep(2 * s)
			return io.ErrClosedPipe
		})
		tr.Start()
		tr.until(8 * s)
		if !tr.Stop() {
			t.Error("Stop() = false while Probe runs")
		}
		tr.until(60 * s)
		tr.wantAlive(t)
	})
}

// counters is a fake Progress.
type counters struct {
	mu sync.Mutex
	p  tcpopt.Progress
}

func (c *counters) progress() (tcpopt.Progress, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.p, nil
}

func (c *counters) add(received, acked, pending int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.p.Received += uint64(received)
	c.p.Acked += uint64(acked)
	c.p.Pending += uint64(pending)
}

func zero() (tcpopt.Progress, error) { return tcpopt.Progress{}, nil }

// TestBacklog is I5: no verdict while the peer acknowledges what was sent before
// the probe, at least a byte per look; and soon after it has stopped.
func TestBacklog(t *testing.T) {
	for _, tt := range []struct {
		name    string
		blocked time.Duration // how long Probe takes
		pending uint64        // what is before it at first
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

// TestDelivered is I6: once the peer has acknowledged the probe it has one
// Timeout, whatever else it acknowledges. If nothing was before the probe, that
// was its Timeout already.
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
		// A byte per 5 ms takes 5 s, and then comes a look.
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &counters{p: tcpopt.Progress{Pending: tt.pending, Silence: -1}}
				tr := newHeartbeat(2*s, 5*s, func() error { c.add(0, 0, tt.written); return nil })
				tr.Progress = c.progress
				tr.Start()
				stop := make(chan struct{})
				go func() { // It writes and acknowledges without end.
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

// TestUnread is I7: what the kernel has received is life, read or not.
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
					p.Silence = tr.now() - time.Duration(p.Acked) // Acked is when it came, here.
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

// TestUnreadAnswer has an answer that nobody reads, of which the OS does not tell
// when it came.
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

// TestReadIsNotUnread has a peer that dies after much that was read. What has
// been read must not be taken for unread, or the verdict is late.
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

// TestLateTimer is I8: a timer that is late is our own fault, once in a silence.
// Progress takes the time, which delays the Monitor as a stopped process does.
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
						return tcpopt.Progress{}, errors.ErrUnsupported // That of Probe's end.
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
			time.Sleep(5 * s) // The last look may not be over.
		})
	})
}

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

// TestUselessCounters is I11 and more: counters that tell nothing change nothing.
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
			return tcpopt.Progress{Received: 1<<40 - n, Acked: 1<<40 - n, Pending: 1000}, nil
		},
		"wrapping": func() (tcpopt.Progress, error) {
			if next() < 6 { // In the middle of the second probe.
				return tcpopt.Progress{Received: math.MaxUint64, Acked: math.MaxUint64, Pending: 5}, nil
			}
			return tcpopt.Progress{Received: 3, Acked: 3}, nil
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
				e, _ := errors.AsType[*liveness.Error](tr.err)
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

// TestUnknownEnd is I11 too: where the probe ends is not known.
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

// TestStaleLook starts again while a look of the former time is under way.
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

// TestAnswerRestartsIdle is I12: after an answer the peer has Idle from then on,
// however long Timeout is.
func TestAnswerRestartsIdle(t *testing.T) {
	for _, timeout := range []time.Duration{s, 7 * s, 8 * s, 60 * s} {
		synctest.Test(t, func(t *testing.T) {
			var tr *trial
			tr = newHeartbeat(8*s, timeout, func() error {
				if len(tr.probes) <= 5 {
					time.AfterFunc(10*ms, tr.Touch)
				}
				return nil
			})
			tr.Start()
			tr.until(300 * s)
			if len(tr.probes) != 6 || len(tr.dead) != 1 {
				t.Fatalf("probed at %v, dead at %v", tr.probes, tr.dead)
			}
			for i := 1; i < len(tr.probes); i++ {
				wantBetween(t, "round", tr.probes[i]-tr.probes[i-1]-10*ms, 7*s, 8*s)
			}
			if at := tr.dead[0] - tr.probes[5]; at != timeout {
				t.Errorf("dead %v after the probe, want %v", at, timeout)
			}
		})
	}
}

// TestAnswerAtOnce has an answer in the very moment of the probe.
func TestAnswerAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr *trial
		tr = newHeartbeat(8*s, 5*s, func() error { tr.Touch(); return nil })
		tr.Start()
		tr.until(300 * s)
		tr.wantAlive(t)
		tr.Stop()
	})
}

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
					t.Error("Start() left it neither as it was")
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

func TestError(t *testing.T) {
	var err error = &liveness.Error{Reason: liveness.NoReply, Silent: 3*s + 1}
	if want := "liveness: peer silent for 3s: no reply"; err.Error() != want {
		t.Errorf("Error() = %q, want %q", err, want)
	}
	if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() || err.(*liveness.Error).Temporary() {
		t.Errorf("%v: want a net.Error that is a timeout and not temporary", err)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v matches os.ErrDeadlineExceeded", err)
	}
	for r, want := range map[liveness.Reason]string{
		liveness.Idle: "idle", liveness.NoReply: "no reply", liveness.NoProgress: "no progress", 0: "Reason(0)", 9: "Reason(9)",
	} {
		if r.String() != want {
			t.Errorf("String() = %q, want %q", r, want)
		}
	}
}

// TestUnreadBytes has bytes that are not read for a minute: Timeout, or Idle, begins
// anew at each look.
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

// TestWrap has a count of 32 bits, as FreeBSD's, that returns to zero between a
// probe and its acknowledgment. The peer is frozen, and a little is written.
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

// TestAskAgainOnce has a Probe that is late for the next round: it asks again for
// that one, and then no more.
func TestAskAgainOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr *trial
		tr = newHeartbeat(4*s, 3*s, func() error {
			if len(tr.probes) > 1 {
				time.Sleep(100 * ms)
			} else {
				time.Sleep(8 * s)
			}
			return nil
		})
		tr.Start()
		time.Sleep(6 * s)
		tr.Touch()
		tr.until(100 * s)
		if len(tr.probes) != 2 {
			t.Errorf("probes at %v, want two", tr.probes)
		}
	})
}

// TestExcusedOnceMore has timers that are late by 5 s, one in each of two watches.
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
					if m.Stop() { // It comes so late that it stops the next watch.
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
			time.Sleep(5 * ms) // Whatever still comes would be one too many.
			if dead.Load()+prevented.Load() != started.Load() {
				t.Errorf("%d starts, %d verdicts, %d prevented", started.Load(), dead.Load(), prevented.Load())
			}
		})
	}
	wg.Wait()
}
