package liveness

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tcpopt/tcpopt"
)

// A Monitor watches one connection. Set the fields before Start, and leave them alone
// afterwards. Do not copy it once started.
//
// A running Monitor costs a timer that fires about once per Idle, however often
// Touch is called, and no goroutine in between. It runs until Stop or the
// verdict.
type Monitor struct {
	// Idle is how long the peer may stay silent. It must be positive; less than
	// a microsecond counts as one. With a Probe, each wait is shorter by a random part
	// of up to an eighth, so that connections opened together do not probe together.
	Idle time.Duration

	// Timeout is how long the peer may stay silent after a probe. With a Probe it must
	// be positive; without one it means nothing.
	Timeout time.Duration

	// Probe asks the peer for a sign of life, for example by writing a ping. It runs in
	// its own goroutine, never twice at once, and may block without delaying the
	// verdict. It should return once the probe has been written to the connection, not
	// to a queue in front of it. It may also wait for the answer, as a library's Ping
	// does. An error is the verdict, unless Stop or another verdict came first. Without
	// a Probe, the Monitor is a plain idle timeout, exact and without a Timeout.
	Probe func() error

	// Progress, if not nil, returns the kernel's counters: the method value of a
	// [tcpopt.Socket]. Received bytes are a sign of life even if nobody has read them.
	// Acknowledged bytes extend the wait for the answer to a probe that is queued
	// behind them, up to the probe and no further. An error means that nothing is
	// known, and changes nothing. Two goroutines may call Progress at once.
	Progress func() (tcpopt.Progress, error)

	// Dead is called once, in its own goroutine, with an [*Error] or with Probe's
	// error. It may call any method of the Monitor, even Start.
	Dead func(error)

	last  atomic.Int64 // the last sign of life; like all times, since epoch
	mu    sync.Mutex
	timer *time.Timer
	due   time.Duration // when timer should fire
	watch watch
}

// grain is the precision of Touch, and the least Idle.
const grain = time.Microsecond

// epoch is where all times start: an int64 is written atomically, a time.Time is not.
var epoch = time.Now()

// Start begins to watch. The current time counts as the first sign of life. Start may
// be called again after Stop or the verdict, even from Dead, for an idle timeout that
// fires again and again. The new watch does not call Probe until a call of the former
// watch has returned, and ignores its result. Start panics if the Monitor is running,
// if a field that it needs is not set, or if a duration is not positive.
func (m *Monitor) Start() {
	switch {
	case m.Idle <= 0:
		panic("liveness: Idle must be positive")
	case m.Probe != nil && m.Timeout <= 0:
		panic("liveness: Timeout must be positive with a Probe")
	case m.Dead == nil:
		panic("liveness: Dead must be set")
	}
	var l look
	m.count(&l)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watch.running {
		panic("liveness: Start of a running Monitor")
	}
	m.watch = watch{running: true, asking: m.watch.asking, known: l.known, received: l.p.Received}
	if m.watch.asking != nobodys {
		m.watch.asking = formers
	}
	m.redrawJitter()
	m.Touch()
	m.arm(m.idle())
}

// Touch reports a sign of life, such as bytes or a message from the peer. Any goroutine
// may call it at any time. It takes no lock and allocates nothing.
func (m *Monitor) Touch() {
	now := int64(time.Since(epoch))
	// Storing takes the cache line from others that touch m at the same time.
	if since := now - m.last.Load(); since < 0 || since >= int64(grain) {
		m.last.Store(now)
	}
}

// Last returns the time of the last sign of life, to the microsecond: that of the last
// Touch, or a later one if Progress reported bytes received but not read. Before the
// first sign of life it is the time of Start, and before Start the zero Time.
func (m *Monitor) Last() time.Time {
	last := m.last.Load()
	if last == 0 {
		return time.Time{}
	}
	now := time.Now()
	return now.Add(time.Duration(last) - now.Sub(epoch))
}

// Stop ends the watch and reports whether it prevented the verdict: if true, Dead will
// not be called. It returns false if Dead has been called or is about to be, if Stop
// was called before, or if Start was not. Stop does not wait for Dead or Probe.
func (m *Monitor) Stop() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.watch.running {
		return false
	}
	m.watch.end()
	m.timer.Stop()
	return true
}

// fire runs when the timer fires: look, lock, decide, unlock, act.
func (m *Monitor) fire() {
	began := time.Since(epoch)
	var l look
	m.count(&l)
	m.mu.Lock()
	if !m.watch.running || began < m.due { // Started again since the timer fired.
		m.mu.Unlock()
		return
	}
	m.date(&l)
	l.late = l.now - m.due
	t := terms{idle: m.idle(), timeout: m.Timeout, asks: m.Probe != nil}
	var do step
	m.watch, do = m.watch.decide(&t, &l)
	m.last.CompareAndSwap(int64(l.last), int64(do.last)) // Unless a Touch came meanwhile.
	switch {
	case do.reason != 0:
	case do.round:
		m.redrawJitter()
		m.arm(min(m.idle(), m.Timeout))
	default:
		m.arm(do.wait)
	}
	m.mu.Unlock()

	switch {
	case do.reason != 0:
		m.Dead(&Error{do.reason, l.now - do.last})
	case do.ask:
		m.ask()
	}
}

// ask calls Probe, again if necessary, and records the result.
func (m *Monitor) ask() {
	for again := true; again; {
		err := m.Probe()
		var l look
		m.count(&l)
		m.mu.Lock()
		m.date(&l)
		failed := err != nil && m.watch.running && m.watch.asking == ours
		if failed {
			m.watch.end()
		}
		again = m.watch.returned(&l)
		m.mu.Unlock()
		if failed {
			m.Dead(err)
		}
	}
}

// count reads the counters. Never call it under the lock: Progress is not our code.
func (m *Monitor) count(l *look) {
	if m.Progress == nil {
		return
	}
	if p, err := m.Progress(); err == nil {
		l.p, l.known = p, true
	}
}

// date sets the times, under the lock, which may have taken time to get.
func (m *Monitor) date(l *look) {
	l.now = time.Since(epoch)
	l.last = time.Duration(m.last.Load())
}

// redrawJitter gives the next round its own Idle.
func (m *Monitor) redrawJitter() {
	if m.Probe != nil {
		m.watch.jitter = rand.Float32() / 8
	}
}

// idle returns this round's Idle.
func (m *Monitor) idle() time.Duration {
	return max(grain, m.Idle-time.Duration(float64(m.Idle)*float64(m.watch.jitter)))
}

func (m *Monitor) arm(d time.Duration) {
	m.due = time.Since(epoch) + d
	if m.timer == nil {
		m.timer = time.AfterFunc(d, m.fire)
	} else {
		m.timer.Reset(d)
	}
}
