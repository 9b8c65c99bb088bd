//go:build go1.25

package liveness_test

import (
	"io"
	"math"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
)

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

// TestOneProbe is I2: there are never two probes at once, not even if the first blocks
// and the peer lives on.
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
				tr.until(15500 * ms) // The first Probe returned by 14 s.
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

// TestVerdictInTime is I3: the verdict comes Timeout after the probe. The probe comes
// 7/8 Idle to Idle after the last sign of life, and never when others do.
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

// TestJitterAnew looks at one Monitor: its rounds differ, too.
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

// TestProbeError has a connection whose Probe fails.
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

// TestProbeErrorAfterStop is I9, too.
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

// TestAnswerRestartsIdle is I12: an answer restarts Idle, however long Timeout is.
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

// TestAnswerAtOnce has an answer at the very moment of the probe.
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

// TestAskAgainOnce has a Probe that is late for the next round: it is called again for
// that round, and then no more.
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

// TestAskAgainInTime has a Probe that is late for the next round, by much of Timeout.
// The Probe that waited for it has all of Timeout.
func TestAskAgainInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr *trial
		tr = newHeartbeat(4*s, 3*s, func() error {
			switch len(tr.probes) {
			case 1:
				time.Sleep(tr.probes[0] + 8400*ms - tr.now())
			case 2:
				time.AfterFunc(2900*ms, tr.Touch)
			}
			return nil
		})
		tr.Start()
		tr.until(4 * s)
		time.Sleep(tr.probes[0] + 2*s - tr.now())
		tr.Touch() // The next probe is due 5.5 to 6 s after the first.
		tr.until(tr.probes[0] + 11300*ms)
		tr.wantAlive(t)
		tr.until(100 * s)
		if len(tr.probes) != 3 || len(tr.dead) != 1 {
			t.Errorf("probed at %v, dead at %v, want a third probe and its verdict", tr.probes, tr.dead)
		}
	})
}

// TestNotAgainIfHeard has a sign of life at the moment when a probe is due, and the
// Probe of the round before returns then.
func TestNotAgainIfHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var touch sync.Once
		tr := newHeartbeat(4*s, 3*s, func() error { <-release; return nil })
		tr.Progress = func() (tcpopt.Progress, error) {
			if tr.now() > 8*s {
				go touch.Do(func() {
					synctest.Wait() // Until the probe is due.
					tr.Touch()
					close(release)
				})
			}
			return tcpopt.Progress{}, io.EOF
		}
		tr.Start()
		tr.until(6 * s)
		tr.Touch()
		tr.until(11 * s) // The next look but one is not before 13 s.
		if len(tr.probes) != 1 {
			t.Errorf("probed at %v, want once", tr.probes)
		}
		tr.Stop()
	})
}

// TestAskAgainFails has a late Probe that is called again, and then fails.
func TestAskAgainFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr *trial
		tr = newHeartbeat(4*s, 3*s, func() error {
			if len(tr.probes) > 1 {
				time.Sleep(s)
				return io.ErrClosedPipe
			}
			time.Sleep(8 * s)
			return nil
		})
		tr.Start()
		tr.until(6 * s)
		tr.Touch()
		tr.until(100 * s)
		if len(tr.probes) != 2 || len(tr.dead) != 1 || tr.dead[0] != tr.probes[1]+s || tr.err != io.ErrClosedPipe {
			t.Errorf("probed at %v, dead at %v of %v, want of the second Probe's error", tr.probes, tr.dead, tr.err)
		}
	})
}
