package liveness

import (
	"math"
	"time"

	"github.com/tcpopt/tcpopt"
)

// terms are a Monitor's fields as they apply in this round.
type terms struct {
	idle    time.Duration
	timeout time.Duration
	asks    bool // there is a Probe
}

// A watch is the state that lasts from one look, or the end of a Probe, to the next.
type watch struct {
	probe    *probe  // not nil: waiting for the answer to one
	received uint64  // at the last look, if known
	jitter   float32 // the part of Idle by which this round's Idle is shorter
	known    bool
	running  bool
	excused  bool // a late timer has been forgiven in this silence
	asking   whose
}

// whose says whose Probe has not returned. There is never more than one.
type whose uint8

const (
	nobodys whose = iota
	ours
	formers // a former watch's, whose result this one ignores
)

// probe is separate from watch, since most of the time there is none.
type probe struct {
	at     time.Duration // when it became due
	from   time.Duration // when Timeout last began
	acked  uint64        // at the last look, if known
	start  uint64        // in terms of acked: acknowledged bytes past it may be the probe
	end    uint64        // the end of the probe, in the same terms
	known  bool
	queued bool // at the last look something before it was unacknowledged
	again  bool // the Probe of an earlier round, or watch, has not returned
}

// A look has the time and the counters when the timer fires or Probe returns. It is
// passed by address, since the small stack of a timer's goroutine would grow.
type look struct {
	now   time.Duration
	late  time.Duration   // since the timer was due
	last  time.Duration   // the last sign of life
	p     tcpopt.Progress // zero if unknown
	known bool
}

// A step is what follows from a look: a verdict, a probe, or else another look.
type step struct {
	last   time.Duration // the last sign of life, now that the counters are known
	reason Reason        // not zero: the verdict
	round  bool          // a probe is due
	ask    bool          // and Probe should be called
	wait   time.Duration // until the next look
}

// decide depends only on its arguments and changes nothing.
func (w watch) decide(t *terms, l *look) (watch, step) {
	do := step{last: l.last}
	heard := l.now-l.last < t.idle
	if w.probe != nil {
		heard = l.last >= w.probe.at
	}
	// Bytes received after the last look count if they were not read. After a Touch
	// there is a look before the next Idle is over. FreeBSD's count returns to zero
	// every 4 GiB; it is also zero once the connection is gone.
	if !heard && l.known && w.known && l.p.Received != w.received && !l.p.Aborted {
		heard = true
		do.last = max(l.last, l.now-max(l.p.Silence, 0))
	}
	w.received, w.known = l.p.Received, l.known
	if heard {
		w.probe, w.excused = nil, false
	}
	if w.probe != nil {
		return w.await(t, l, do)
	}

	do.wait = t.idle - (l.now - do.last)
	switch {
	case do.wait > 0:
	case t.asks:
		w.probe, do.round, do.ask = w.due(l), true, w.asking == nobodys
		if do.ask {
			w.asking = ours
		}
	case l.p.Unread > 0:
		do.wait = t.idle
	case l.late > t.idle/2 && !w.excused:
		w.excused = true
		do.wait = t.idle
	default:
		do.reason = Idle
		w.end()
	}
	return w, do
}

// due returns the probe that is due now.
func (w watch) due(l *look) *probe {
	p := &probe{
		at: l.now, from: l.now,
		acked: l.p.Acked, known: l.known,
		start: math.MaxUint64, end: math.MaxUint64,
		queued: l.p.Pending > 0,
		again:  w.asking != nobodys,
	}
	switch w.asking {
	case ours: // Where that one began is unknown by now.
		p.start = 0
	case nobodys:
		p.start = l.written()
	}
	return p
}

// written returns how much has been written, or more than possible if unknown.
func (l *look) written() uint64 {
	if !l.known {
		return math.MaxUint64
	}
	return l.p.Acked + l.p.Pending
}

// await decides while a probe has no answer.
func (w watch) await(t *terms, l *look, do step) (watch, step) {
	p := *w.probe
	if l.known {
		p.extend(l.now, &l.p)
	}
	if l.late > t.timeout/2 && !w.excused {
		w.excused = true
		p.from = l.now
	}
	if left := t.timeout - (l.now - p.from); left > 0 {
		do.wait = min(t.idle, left)
		if p != *w.probe { // It seldom changes, and a copy allocates.
			changed := p
			w.probe = &changed
		}
		return w, do
	}
	do.reason = NoProgress
	if p.delivered(w.asking != nobodys, l) {
		do.reason = NoReply
	}
	w.end()
	return w, do
}

// delivered reports whether the peer's kernel has the probe, as far as known.
func (w *probe) delivered(asking bool, l *look) bool {
	if asking { // Probe may have written it and wait for the answer.
		return l.p.Pending == 0 && l.p.Acked > w.start
	}
	return l.p.Pending == 0 || l.p.Acked >= w.end
}

func (w *watch) end() { w.running, w.probe = false, nil }

// extend restarts Timeout while the peer acknowledges data from before the probe, and
// once more when it has acknowledged the probe. A probe with nothing before it has had
// its Timeout then. extend also restarts Timeout while bytes wait to be read: the
// answer may be behind them, kept out by a full buffer.
func (w *probe) extend(now time.Duration, p *tcpopt.Progress) {
	if w.acked > p.Acked+1<<31 {
		w.start, w.end = 0, 0 // Wrapped; on macOS and Windows it falls only a little.
	}
	before := p.Acked < w.end
	if p.Unread > 0 || w.known && p.Acked > w.acked && w.acked < w.end && (before || w.queued) {
		w.from = now
	}
	w.acked, w.known, w.queued = p.Acked, true, before
}

// returned records where in the stream the probe ends, now that Probe has returned. It
// reports whether to call Probe again: this call may be from an earlier round or watch,
// and its answer may have begun the round that waits now. Timeout begins with the new
// call.
func (w *watch) returned(l *look) (again bool) {
	w.asking = nobodys
	if w.probe == nil {
		return false
	}
	again = w.probe.again && l.last < w.probe.at
	w.probe.again = false
	switch {
	case again:
		w.asking = ours
		w.probe.from, w.probe.start = l.now, l.written()
	case l.known:
		w.probe.end = l.written()
	default:
		w.probe.end = 0 // Unknown counts as past.
	}
	return again
}
