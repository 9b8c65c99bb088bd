//go:build go1.25

package liveness_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
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

// newHeartbeat returns a trial whose Probe calls probe if that is not nil.
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

// until sleeps until d after the start. Meanwhile the Monitor may write what the test
// has looked at before.
func (tr *trial) until(d time.Duration) {
	tr.mu.Lock()
	left := d - tr.now()
	tr.mu.Unlock()
	time.Sleep(left)
	synctest.Wait()
}

// want fails the test unless this was the verdict.
func (tr *trial) want(t *testing.T, at time.Duration, reason liveness.Reason, silent time.Duration) {
	t.Helper()
	e, ok := asType[*liveness.Error](tr.err)
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
