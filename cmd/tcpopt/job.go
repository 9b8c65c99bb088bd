package main

import (
	"fmt"
	"io"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

// A job changes one socket. A user timeout that has passed already ends the
// connection as soon as a timer of its expires. So it is set only once the peer is
// seen to answer and to read.
type job struct {
	socket *census.Socket // as it is after the latest visit
	change *change
	force  bool

	visited bool
	first   census.Socket // as it was before: at the first visit, or else in the census
	since   time.Time     // of the first visit, then of the first writing
	written bool
	at      census.Socket // as it was before the latest visit wrote
	why     obstacle
	err     error
}

func newJob(s *census.Socket, c *change, force bool) *job {
	return &job{socket: s, first: *s, change: c, force: force}
}

// An obstacle is why a user timeout was not set.
type obstacle int

const (
	none   obstacle = iota
	lacks           // multipath TCP has none
	shut            // the peer's window, which the timeout would not wait for
	unsent          // data in flight: the timeout may have passed
	silent          // a keepalive probe may be out: the timeout may have passed
)

// obstacle is what s has against a user timeout of d.
func (j *job) obstacle(s *census.Socket, d time.Duration) obstacle {
	old := s.Config.UserTimeout
	switch {
	case d == 0 && s.HasUserTimeout:
		return none
	case !s.HasUserTimeout:
		return lacks
	case j.force || s.State == census.StateListen || old != 0 && old < d:
		return none // What d would end, the old one would have ended before.
	case s.Shut:
		return shut
	case s.Counted && !s.Heard: // What is pending is no data.
		return silent
	// The kernel does not report since when data waits. What was sent after the first
	// visit is young enough, but only if the peer has acknowledged what was before it.
	case s.Pending > 0 && (s.Acked-j.first.Acked < j.first.Pending || j.first.Pending == 0):
		return unsent
	case s.Silence >= d:
		return silent
	}
	return none
}

// step visits the socket and reports whether there is something to wait for.
func (j *job) step() bool {
	if err := j.socket.Visit(j.act); err != nil {
		j.err, j.why = err, none
		return false
	}
	if !j.visited || j.err != nil || j.why == none || j.why == lacks {
		return false
	}
	wait := patience
	if !j.written {
		// If data has waited longer than the new timeout, that would end the connection.
		wait = min(wait, *j.change.timeout)
	}
	return time.Since(j.since) < wait
}

// act is called while the descriptor is held. It decides by what the socket is at
// this moment, since the census is older.
func (j *job) act(s *census.Socket, sock tcpopt.Socket) {
	if !j.visited {
		j.visited, j.first, j.since = true, *s, time.Now()
	}
	j.at = *s
	todo := j.change.missing(s.Config)
	j.why = none
	if todo.timeout != nil {
		switch j.why = j.obstacle(s, *todo.timeout); j.why {
		case none:
		case silent:
			// The rest makes the kernel probe. After the answer a later visit sets the
			// timeout.
			todo.timeout = nil
		default:
			return
		}
	}
	if !j.written {
		j.written, j.since = true, time.Now()
	}
	j.err = todo.write(sock)
}

// foresee does nothing but what can be said beforehand.
func (j *job) foresee() {
	s := j.socket
	j.visited, j.first, j.at = true, *s, *s
	if todo := j.change.missing(s.Config); todo.timeout != nil {
		j.why = j.obstacle(s, *todo.timeout)
	}
}

// A tally counts jobs by how they went. What was changed in part is bad too.
type tally struct{ changed, same, bad int }

// print prints the job, or with dry what it would be, and adds it to sum.
func (j *job) print(w io.Writer, dry bool, sum *tally) {
	s := j.socket
	fmt.Fprintf(w, "%d %s fd %d %v -> %v %s\n", s.PID, printable(s.Command), s.FD, s.Local, s.Remote, s.State)
	fmt.Fprintf(w, "  before   %s\n", settings(&j.first, j.first.Config))
	after, name := s.Config, "after"
	if dry {
		name = "would be"
		after = j.change.missing(after).on(after)
	}
	left := j.explain(dry)
	skipped := dry && (j.why == shut || j.why == unsent || j.why == lacks)
	undo := difference(j.first.Config, after)
	switch {
	case !j.visited || skipped || undo.empty() && left != "":
	case undo.empty():
		fmt.Fprintln(w, "  nothing to change")
		sum.same++
	default:
		fmt.Fprintf(w, "  %-8s %s\n", name, settings(s, after))
		sum.changed++
	}
	if left != "" {
		fmt.Fprintf(w, "  %s\n", left)
		sum.bad++
	}
	if !undo.empty() && !dry {
		j.printRestore(w, undo)
	}
}

// printRestore prints the command that undoes the job. It names the address too,
// lest the descriptor be another connection's by then.
func (j *job) printRestore(w io.Writer, undo change) {
	s := j.socket
	end, address := "-remote", s.Remote
	if s.State == census.StateListen {
		end, address = "-local", s.Local
	}
	which := fmt.Sprintf("-pid %d -fd %d", s.PID, s.FD)
	if a := address.Addr().Unmap(); !a.IsUnspecified() {
		which += fmt.Sprintf(" %s %v", end, address)
	}
	fmt.Fprintf(w, "  restore  tcpopt set %s %s\n", which, undo.flags())
	if err := (tcpopt.Config{Idle: j.first.Config.Idle}).Validate(); undo.idle != nil && err != nil {
		fmt.Fprintln(w, "  but its idle time was the system's, and is more than can be set on a socket")
	}
}

// explain says what was not done, and why.
func (j *job) explain(dry bool) string {
	if j.err != nil {
		return "failed: " + j.err.Error()
	}
	if j.change.timeout == nil {
		return j.verify()
	}
	s, d := &j.at, *j.change.timeout
	past := "skipped"
	if j.written {
		past = "the user timeout is left alone"
	}
	if dry {
		past = "would be skipped, if that is still so"
	}
	switch j.why {
	case lacks:
		return past + ": multipath TCP has no user timeout; -no-user-timeout leaves it out"
	case shut:
		return fmt.Sprintf("%s: the peer keeps its window shut, and a user timeout of %v would end the connection (-force sets it, -no-user-timeout leaves it out)", past, d)
	case unsent:
		how := "slowly on its way"
		if s.Stuck || s.Acked == j.first.Acked {
			how = "stuck"
		}
		if dry {
			how = "on its way"
		}
		return fmt.Sprintf("%s: data is %s (%s), and a user timeout of %v could end the connection (-force sets it, -no-user-timeout leaves it out)", past, how, plural(int(s.Pending), "byte"), d)
	case silent:
		since := fmt.Sprintf("for %v", s.Silence)
		if !s.Heard {
			since = "from the start"
		}
		if dry {
			return fmt.Sprintf("the user timeout would be set only if the peer, silent %s, answers a probe", since)
		}
		return fmt.Sprintf("the user timeout is left alone: the peer was silent %s and still is, and a user timeout of %v could end the connection (-force sets it)", since, d)
	}
	return j.verify()
}

// verify compares with what the kernel says that it has.
func (j *job) verify() string {
	if left := j.change.missing(j.socket.Config); j.written && !left.empty() {
		return "failed: the kernel did not take " + left.flags()
	}
	return ""
}

func settings(s *census.Socket, c tcpopt.Config) string {
	idle, busy := c.DetectionTime()
	timeout := "none"
	if s.HasUserTimeout {
		timeout = c.UserTimeout.String()
	}
	return fmt.Sprintf("%s, idle %v, interval %v, count %d, user timeout %s; a dead peer is noticed: idle %s, busy %s",
		onOff(c.KeepAlive == tcpopt.On), c.Idle, c.Interval, c.Count, timeout, idleDetection(idle), busyDetection(busy))
}
