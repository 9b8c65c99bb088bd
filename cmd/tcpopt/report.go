package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

// A tally counts jobs by how they went; each is counted once.
type tally struct{ changed, same, ended, left int }

func (t *tally) print(w io.Writer, dry bool) {
	if dry {
		fmt.Fprintf(w, "%d would change, %d as wanted already, %d would not or might not\n", t.changed, t.same, t.left)
		return
	}
	fmt.Fprintf(w, "%d changed, %d as wanted already, %d ended, %d not done or not fully\n", t.changed, t.same, t.ended, t.left)
}

// print prints the job, or with dry what it would be, and adds it to sum.
func (j *job) print(w io.Writer, dry bool, sum *tally) {
	s := j.socket
	fmt.Fprintf(w, "%d %s fd %d %v -> %v %s\n", s.PID, printable(s.Command), s.FD, shortAddress(s.Local), shortAddress(s.Remote), s.State)
	fmt.Fprintf(w, "  before   %s\n", settings(&j.first, j.first.Config))
	if j.ended != lives {
		fmt.Fprintf(w, "  ended    %s\n", j.explainEnd())
		sum.ended++
		return
	}
	after, name := s.Config, "after"
	if dry {
		name, after = "planned", j.target
	}
	left := j.explain(dry)
	undo := difference(&j.first.Config, after)
	switch {
	case !undo.empty() && !(dry && left != ""):
		fmt.Fprintf(w, "  %-8s %s\n", name, settings(s, after))
	case left == "":
		fmt.Fprintln(w, "  nothing to change")
	}
	switch {
	case left != "":
		fmt.Fprintf(w, "  %s\n", left)
		sum.left++
	case undo.empty():
		sum.same++
	default:
		sum.changed++
		if j.written && j.silent {
			fmt.Fprintf(w, "  the peer has not answered %s yet: unless it does, the connection will end\n", plural(j.at.Probes, "probe"))
		}
	}
	if j.accepted != "" && !undo.empty() {
		fmt.Fprintf(w, "  accepted %s\n", j.accepted)
	}
	if !undo.empty() && !dry {
		j.printRestore(w, undo)
	}
}

// printRestore prints the command that undoes the job. It names the address too,
// since the descriptor may be another connection's by then.
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
	undo, lost := undo.possible()
	if !undo.empty() {
		fmt.Fprintf(w, restores+"tcpopt set %s %s\n", which, undo.flags())
	}
	if !lost.empty() {
		fmt.Fprintf(w, "  not restorable: %s, which was the system's and cannot be set on a socket\n", strings.ReplaceAll(lost.flags(), " -", ", -"))
	}
}

// explainEnd says of a connection that has ended why, as far as is known.
func (j *job) explainEnd() string {
	switch {
	case !j.visited:
		return "the descriptor was closed before it could be changed"
	case j.ended == closed && j.silent:
		return "the peer is dead: it did not answer, and the program has closed the connection"
	case j.ended == closed:
		return "the program has closed the connection"
	case j.silent:
		return "the peer is dead: it did not answer, and the connection has ended"
	case j.asking || j.written:
		return "the peer is gone: the connection has ended"
	}
	return "the connection has ended"
}

// explain says what was not done, and why.
func (j *job) explain(dry bool) string {
	if j.err != nil {
		return "failed: " + j.err.Error()
	}
	s, d := &j.at, j.target.UserTimeout
	skipped := "skipped"
	if j.partly {
		skipped = "the user timeout is left alone"
	}
	if dry {
		skipped = "would be skipped, if that is still so"
	}
	switch j.why {
	case lacks:
		return skipped + ": multipath TCP has no user timeout; -no-user-timeout leaves it out"
	case shut:
		return fmt.Sprintf("%s: the peer keeps its window shut, and a user timeout of %s would end the connection (-force window sets it, -no-user-timeout leaves it out)", skipped, short(d))
	case unacked:
		how := "slowly on its way"
		if s.Stuck || s.Acked == j.first.Acked {
			how = "stuck"
		}
		if dry {
			how = "on its way"
		}
		return fmt.Sprintf("%s: data is %s (%s), and a user timeout of %s could end the connection (-force unacked sets it, -no-user-timeout leaves it out)", skipped, how, plural(int(s.Pending), "byte"), short(d))
	case silent:
		return j.explainSilence(dry)
	}
	if left := difference(&j.target, j.socket.Config); j.written && !left.empty() {
		return "failed: the kernel did not take " + left.flags()
	}
	return ""
}

func (j *job) explainSilence(dry bool) string {
	s := &j.at
	switch {
	case !s.Heard && dry:
		return "the user timeout would be set only if the peer, silent from the start, answers"
	case !s.Heard:
		return fmt.Sprintf("the user timeout is left alone: the peer was silent from the start and still is, and a user timeout of %s could end the connection (-force silent sets it)", short(j.target.UserTimeout))
	case dry:
		return fmt.Sprintf("would be changed only if the peer, silent for %s, answers a probe", rough(tenths(s.Silence)))
	case j.first.Config.KeepAlive != tcpopt.On && j.asking:
		return fmt.Sprintf("not fully done: the peer, silent for %s, has not answered %s yet; unless it does, keepalive ends the connection (-force silent sets the rest)", rough(tenths(s.Silence)), plural(s.Probes, "probe"))
	}
	text := fmt.Sprintf("left alone: the peer was silent for %s and did not answer, and the change could end the connection (-force silent makes it)", rough(tenths(s.Silence)))
	if spent := difference(&j.left, j.first.Config); j.asking && !spent.empty() {
		text += fmt.Sprintf("; it has %s now, which makes up for the probes that it was asked with", spent.flags())
	}
	return text
}

// explainAccepted says what the change of a listener does to what it accepts, by
// what its connections in the same process have.
func explainAccepted(j *job, accepted func(*census.Socket) ([]census.Socket, error)) string {
	all, err := accepted(j.socket)
	if err != nil {
		return "whether new connections inherit this is not known: " + err.Error()
	}
	had, others := 0, 0
	for i := range all {
		switch inherited(j.first.Config, j.target, all[i].Config) {
		case tcpopt.On:
			had++
		case tcpopt.Off:
			others++
		}
	}
	switch {
	case had+others == 0:
		return "new connections inherit this, unless the program sets its own after accept, as Go programs do; no accepted connection here shows which"
	case others == 0:
		return fmt.Sprintf("new connections inherit this: %s here had the same as the listener", plural(had, "connection"))
	case had == 0:
		return fmt.Sprintf("new connections will hardly inherit this: %s here differed from the listener, so the program sets its own after accept, as Go programs do", plural(others, "connection"))
	}
	return fmt.Sprintf("not every new connection will inherit this: %d of %d here differed from the listener", others, had+others)
}

// inherited reports whether a connection has what its listener had before, where
// that differs from after. What it has as after is may have been set since.
func inherited(before, after, has tcpopt.Config) tcpopt.Switch {
	answer := tcpopt.Leave
	is := func(before, after, has any) {
		switch {
		case before == after || answer == tcpopt.Off:
		case has == before:
			answer = tcpopt.On
		case has != after:
			answer = tcpopt.Off
		}
	}
	is(before.KeepAlive, after.KeepAlive, has.KeepAlive)
	is(before.Idle, after.Idle, has.Idle)
	is(before.Interval, after.Interval, has.Interval)
	is(before.Count, after.Count, has.Count)
	is(before.UserTimeout, after.UserTimeout, has.UserTimeout)
	return answer
}

// settings has the times of a keepalive that is off in parentheses: they have no
// effect until it is switched on.
func settings(s *census.Socket, c tcpopt.Config) string {
	idle, busy := c.DetectionTime()
	timeout := "none"
	if s.HasUserTimeout {
		timeout = short(c.UserTimeout)
	}
	format := "off (idle %s, interval %s, count %d)"
	if c.KeepAlive == tcpopt.On {
		format = "on, idle %s, interval %s, count %d"
	}
	return fmt.Sprintf(format+", user timeout %s; a dead peer is noticed: idle %s, busy %s",
		short(c.Idle), short(c.Interval), c.Count, timeout, idleDetection(idle, short), busySentence(busy, s.Limit))
}
