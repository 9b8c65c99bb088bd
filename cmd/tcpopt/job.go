package main

import (
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

// A job changes one socket, and must not end what would have lived if it had been
// left alone. So it first makes sure of the peer where the change, or what is out
// already, would else decide.
type job struct {
	socket *census.Socket // as it is after the latest visit
	change *change
	force  guards

	visited bool
	first   census.Socket // as it was before: at the first visit, or else in the census
	at      census.Socket // as it was before the latest visit wrote
	target  tcpopt.Config // what is wanted of it
	asked   tcpopt.Config // what makes it ask its peer, if asking
	left    tcpopt.Config // what it has if its peer did not answer

	asking  bool
	partly  bool // all is written but the user timeout
	written bool
	hurry   bool // the user wants an end
	over    bool

	since  time.Time // when the present wait began
	until  time.Time // when the next probe after writing is out
	silent bool      // a probe was unanswered at the latest visit
	ended  ending
	why    obstacle
	err    error

	accepted string // of a listener: what the connections have that it accepts
}

// guards are words of the flag -force.
type guards struct{ silent, unacked, window bool }

// An ending is how a connection went away that was to be changed.
type ending int

const (
	lives  ending = iota
	died          // the kernel has ended it
	closed        // its program has closed it, or has ended
)

func newJob(s *census.Socket, c *change, force guards) *job {
	return &job{socket: s, first: *s, at: *s, change: c, force: force, target: c.on(s.Config)}
}

// An obstacle is why a socket is not changed, or not wholly.
type obstacle int

const (
	none    obstacle = iota
	lacks            // multipath TCP has no user timeout
	shut             // the peer's window, which a user timeout would not wait for
	unacked          // data in flight: a user timeout may have passed
	silent           // the peer, and the change could end the connection before it has answered
)

// obstacle is what s has against the change.
func (j *job) obstacle(s *census.Socket) obstacle {
	d, old := j.target.UserTimeout, s.Config.UserTimeout
	if j.asking {
		old = j.first.Config.UserTimeout
	}
	// What a longer one would end, the old one would have ended before.
	sooner := d != 0 && (old == 0 || d < old)
	switch {
	case !s.HasUserTimeout && j.change.timeout != nil:
		return lacks
	case s.State == census.StateListen:
		return none
	case sooner && s.Shut && !j.force.window:
		return shut
	case sooner && s.Counted && !s.Heard && !j.force.silent: // What is pending is no data.
		return silent
	// The kernel does not report since when data waits. What was sent after the first
	// visit is young enough, but only if the peer has acknowledged what was before it.
	case sooner && s.Pending > 0 && !j.force.unacked && (s.Acked-j.first.Acked < j.first.Pending || j.first.Pending == 0):
		return unacked
	case risky(s, j.target) && !j.force.silent:
		return silent
	}
	return none
}

// step visits the socket and reports whether there is something to wait for.
func (j *job) step() bool {
	err := j.socket.Visit(j.act)
	switch {
	case census.IsGone(err):
		j.ended = closed
		return false
	case err != nil:
		j.err = err
		return false
	}
	return j.ended == lives && !j.over && j.err == nil
}

// act is called while the descriptor is held. It decides by what the socket is at
// this moment, since the census is older.
func (j *job) act(s *census.Socket, sock tcpopt.Socket) {
	now := time.Now()
	if s.Paths > 0 { // Keepalive is each path's own, and so is its end.
		s.Counted, s.Heard, s.Probes, s.Silence = true, true, s.PathProbes, s.PathSilence
	}
	if !j.visited {
		j.visited, j.first, j.since = true, *s, now
		j.target = j.change.on(s.Config)
	}
	if s.State == census.StateClosed && j.first.State != census.StateClosed || j.first.Paths > 0 && s.Paths == 0 {
		j.ended = died
		return
	}
	j.at, j.silent = *s, s.Probes > 0
	if j.written {
		// Once the peer has answered, nothing of the past can end the connection.
		j.over = !j.silent && (s.Silence < now.Sub(j.since) || now.After(j.until)) || now.Sub(j.since) > lookout || j.hurry
		return
	}
	j.why = j.obstacle(s)
	waited := now.Sub(j.since)
	switch {
	case j.why == none:
		j.finish(s, sock, now)
	case j.why == lacks:
		j.over = true
	case j.why == silent && !s.Heard && !j.partly:
		j.partly, j.since = true, now
		todo := difference(&j.target, s.Config)
		todo.timeout = nil
		j.err = todo.write(sock)
	case j.asking && (j.hurry || waited >= j.askingFor()):
		j.left, j.over = unanswered(&j.first, s, j.target), true
		todo := difference(&j.left, s.Config)
		j.err = todo.write(sock)
	case j.asking:
	case j.hurry || waited >= j.waiting():
		j.over = true
	case j.why == silent && s.Heard:
		if c, ok := question(s, j.target); ok {
			j.asked, j.asking, j.since = c, true, now
			todo := difference(&j.asked, s.Config)
			todo.idle = &j.asked.Idle // Even if it is the same: this sends the probe.
			j.err = todo.write(sock)
		}
	}
}

// waiting is how long to wait where nothing is asked: if data has waited longer
// than the new user timeout, that would end the connection.
func (j *job) waiting() time.Duration {
	if j.why == silent {
		return patience
	}
	return min(patience, j.target.UserTimeout)
}

// askingFor is how long to wait for an answer. A connection that had no keepalive
// ends by then, if that is not far.
func (j *job) askingFor() time.Duration {
	idle, _ := j.target.DetectionTime()
	if end := late(idle) + asking; j.first.Config.KeepAlive != tcpopt.On && end <= lookout {
		return max(end, patience)
	}
	return patience
}

// finish writes all that is wanted, and looks on if the next probe decides.
func (j *job) finish(s *census.Socket, sock tcpopt.Socket, now time.Time) {
	j.written, j.since, j.over = true, now, true
	todo := difference(&j.target, s.Config)
	if todo.empty() {
		return
	}
	if outlasts(s, j.target) {
		todo.idle = &j.target.Idle
	}
	j.err = todo.write(sock)
	if s.State == census.StateListen || j.target.KeepAlive != tcpopt.On || !s.Heard || s.Pending > 0 {
		return
	}
	if next := late(max(j.target.Idle-s.Silence, 0)); next <= asking || risky(s, j.target) {
		j.over, j.until = false, now.Add(next+asking/2)
	}
}

// foresee does nothing but what can be said beforehand.
func (j *job) foresee() {
	j.visited = true
	j.why = j.obstacle(j.socket)
}
