package liveness

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tcpopt/tcpopt"
)

// A Monitor watches one connection. Set the fields before Start, and leave them
// alone afterwards. It must not be copied once started.
//
// A running Monitor costs a timer that fires about once per Idle, however often
// Touch is called, and no goroutine in between. It runs until Stop or the
// verdict.
type Monitor struct {
	// Idle is how long the peer may stay silent; it is positive, and less than
	// a microsecond is a microsecond. With a Probe the wait is shortened at
	// random by up to an eighth, so that connections opened together do not
	// probe together.
	Idle time.Duration

	// Timeout is how long the peer may stay silent after a probe; it is
	// positive. It has no meaning without a Probe.
	Timeout time.Duration

	// Probe asks the peer for a sign of life, for example by writing a ping. It
	// runs in a goroutine of its own, never twice at once, may block without
	// delaying the verdict, and returns once the probe has been written to the
	// connection, not to a queue in front of it. An error is the verdict. Nil
	// makes the Monitor a plain idle timeout, exact and without a Timeout.
	Probe func() error

	// Progress, if not nil, returns the kernel's counters: the method value of
	// a [tcpopt.Socket]. Bytes received are a sign of life even if nobody has
	// read them. Bytes acknowledged extend the wait for the answer to a probe
	// that is queued behind them, up to the probe and no further. An error
	// means that nothing is known and changes nothing. It may be called by two
	// goroutines at once.
	Progress func() (tcpopt.Progress, error)

	// Dead is called once, in a goroutine of its own, with an [*Error] or with
	// Probe's error. It may call any method of the Monitor, Start too.
	Dead func(error)

	mu       sync.Mutex
	last     atomic.Int64 // the last sign of life, as everything since epoch
	timer    *time.Timer
	due      time.Duration // when timer is to fire
	received uint64        // at the last look, if known
	probe    *probe        // not nil: waiting for the answer to one

	running bool
	asking  bool // Probe has not returned
	known   bool
	excused bool    // this silence has been forgiven a late timer
	jitter  float32 // by how much of it this Idle is shorter
}

// probe is apart from Monitor since most of the time there is none.
type probe struct {
	at     time.Duration // when it became due
	from   time.Duration // when Timeout began, for the last time
	acked  uint64        // at the last look, if known
	known  bool
	end    uint64 // of the probe, in terms of acked
	queued bool   // something was sent before it that was not acknowledged
	again  bool   // the Probe of an earlier round has not returned
}

// grain is how exact Touch is, and the least Idle.
const grain = time.Microsecond

// epoch is what times are counted from: an int64 is written atomically, a
// time.Time is not.
var epoch = time.Now()

// Start begins to watch; the time now counts as the first sign of life. It may
// be called again after Stop or the verdict, from Dead too: an idle timeout that
// fires again and again. Start panics if the Monitor is running, if a field
// that it needs is not set, or if a duration is not positive.
func (m *Monitor) Start() {
	switch {
	case m.Idle <= 0:
		panic("liveness: Idle must be positive")
	case m.Probe != nil && m.Timeout <= 0:
		panic("liveness: Timeout must be positive with a Probe")
	case m.Dead == nil:
		panic("liveness: Dead must be set")
	}
	p, known := m.look()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running {
		panic("liveness: Start of a running Monitor")
	}
	m.running, m.known, m.received = true, known, p.Received
	m.probe, m.excused = nil, false
	m.draw()
	m.Touch()
	m.arm(m.idle())
}

// Touch tells of a sign of life, such as bytes or a message from the peer. It
// may be called by any goroutine at any time, takes no lock and allocates
// nothing.
func (m *Monitor) Touch() {
	now := int64(time.Since(epoch))
	// Storing takes the cache line from others that touch m at the same time.
	if since := now - m.last.Load(); since < 0 || since >= int64(grain) {
		m.last.Store(now)
	}
}

// Last returns the time of the last sign of life, to the microsecond: of the last
// Touch, or later, if Progress told of something that was received and not read.
// Before the first, it is when Start was called, and before that the zero Time.
func (m *Monitor) Last() time.Time {
	last := m.last.Load()
	if last == 0 {
		return time.Time{}
	}
	now := time.Now()
	return now.Add(time.Duration(last) - now.Sub(epoch))
}

// Stop ends the watch and reports whether it prevented the verdict: if true,
// Dead is not going to be called. It is false if Dead has been called or is
// about to be, if Stop came before, and if Start did not. Stop does not wait for
// Dead nor for Probe.
func (m *Monitor) Stop() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.running {
		return false
	}
	m.end()
	m.timer.Stop()
	return true
}

// fire is called by the timer.
func (m *Monitor) fire() {
	p, known := m.look()
	m.mu.Lock()
	now := time.Since(epoch)
	late := now - m.due
	if !m.running || late < 0 { // Started again since the timer fired.
		m.mu.Unlock()
		return
	}
	last := time.Duration(m.last.Load())
	heard := m.probe != nil && last >= m.probe.at
	if m.probe == nil {
		heard = now-last < m.idle()
	}
	if !heard && known && m.known && p.Received > m.received {
		heard, last = true, m.hear(last, now-max(p.Silence, 0))
	}
	m.received, m.known = p.Received, known
	if heard {
		m.excused = false
	}

	silent := now - last
	if m.probe != nil {
		if !heard {
			if known {
				m.extend(now, p)
			}
			if late > m.Timeout/2 && !m.excused {
				m.excused = true
				m.probe.from = now
			}
			if left := m.Timeout - (now - m.probe.from); left > 0 {
				m.arm(min(m.idle(), left))
				m.mu.Unlock()
				return
			}
			reason := NoReply
			if m.asking || known && p.Pending > 0 && p.Acked < m.probe.end {
				reason = NoProgress
			}
			m.end()
			m.mu.Unlock()
			m.Dead(&Error{reason, silent})
			return
		}
		m.probe = nil
	}

	left := m.idle() - silent
	if left <= 0 && m.Probe == nil {
		switch {
		case known && p.Unread > 0:
			left = m.Idle
		case late > m.Idle/2 && !m.excused:
			m.excused = true
			left = m.Idle
		}
	}
	if left > 0 {
		m.arm(left)
		m.mu.Unlock()
		return
	}
	if m.Probe == nil {
		m.end()
		m.mu.Unlock()
		m.Dead(&Error{Idle, silent})
		return
	}
	m.probe = &probe{
		at: now, from: now,
		acked: p.Acked, known: known, end: math.MaxUint64,
		queued: m.asking || known && p.Pending > 0,
		again:  m.asking,
	}
	m.draw()
	m.arm(min(m.idle(), m.Timeout))
	ask := !m.asking
	m.asking = true
	m.mu.Unlock()
	if ask {
		m.ask()
	}
}

// look asks for the counters, never under the lock: Progress is not ours.
func (m *Monitor) look() (p tcpopt.Progress, known bool) {
	if m.Progress == nil {
		return p, false
	}
	p, err := m.Progress()
	return p, err == nil
}

// hear takes note of something that was received after the last look, at the
// latest at the given time, and not read. What has been read is not meant: after
// a Touch there is a look before the next Idle is over.
func (m *Monitor) hear(last, at time.Duration) time.Duration {
	if at <= last {
		return last
	}
	m.last.CompareAndSwap(int64(last), int64(at)) // Or a Touch came meanwhile.
	return at
}

// extend lets Timeout begin anew while the peer acknowledges what is before the
// probe, and once more when it has acknowledged the probe. A probe that had
// nothing before it has had its Timeout then. It also begins anew while bytes wait
// to be read: the answer may be behind them, where a full buffer keeps it out.
func (m *Monitor) extend(now time.Duration, p tcpopt.Progress) {
	w := m.probe
	if w.known && p.Acked < w.acked && w.acked-p.Acked > 1<<31 {
		w.end = 0 // Wrapped; on macOS and Windows it falls by little.
	}
	before := p.Acked < w.end
	if p.Unread > 0 || w.known && p.Acked > w.acked && w.acked < w.end && (before || w.queued) {
		w.from = now
	}
	w.queued = w.queued || before
	w.acked, w.known = p.Acked, true
}

// ask calls Probe and notes where in the stream the probe ends. If this Probe is
// of an earlier round, its answer may be what began this one: it asks again.
func (m *Monitor) ask() {
	for again := true; again; {
		err := m.Probe()
		p, known := m.look()
		m.mu.Lock()
		if m.running && err != nil {
			m.asking = false
			m.end()
			m.mu.Unlock()
			m.Dead(err)
			return
		}
		again = m.probe != nil && m.probe.again && m.last.Load() < int64(m.probe.at)
		m.asking = again
		if m.probe != nil {
			m.probe.again = false
			if !again {
				m.probe.end = 0 // Unknown is past.
				if known {
					m.probe.end = p.Acked + p.Pending
				}
			}
		}
		m.mu.Unlock()
	}
}

// draw gives the next round its own Idle.
func (m *Monitor) draw() {
	if m.Probe != nil {
		m.jitter = rand.Float32() / 8
	}
}

// idle is this round's Idle.
func (m *Monitor) idle() time.Duration {
	return max(grain, m.Idle-time.Duration(float64(m.Idle)*float64(m.jitter)))
}

func (m *Monitor) arm(d time.Duration) {
	m.due = time.Since(epoch) + d
	if m.timer == nil {
		m.timer = time.AfterFunc(d, m.fire)
	} else {
		m.timer.Reset(d)
	}
}

func (m *Monitor) end() { m.running, m.probe = false, nil }
