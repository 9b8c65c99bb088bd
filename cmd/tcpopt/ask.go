package main

import (
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

// What follows is about tcp_keepalive_timer of Linux (net/ipv4/tcp_timer.c, 6.18).
// When it runs out after the idle time, it sends a probe and is set to the
// interval. Once a probe is unanswered it ends the connection instead, if the user
// timeout has passed since the last segment of the peer, or if there is none and
// count probes are unanswered. Setting the idle time restarts the timer: it runs
// out at once where the silence is longer. Any segment of the peer is an answer to
// all probes.

const (
	// mostProbes is the highest count that a socket takes.
	mostProbes = 127

	// patience is how long set waits for a peer to acknowledge or to answer.
	patience = 3 * time.Second

	// lookout is how long it looks at most what becomes of a connection.
	lookout = 10 * time.Second

	// asking is the interval between the probes that set makes a connection send.
	asking = time.Second
)

// late is a time as a timer of the kernel keeps it.
func late(d time.Duration) time.Duration { return d + d/8 }

// risky reports whether target could end s although its peer lives: where a probe
// is unanswered, or where fewer than two fit before the end, or fewer than usual if
// it had no keepalive and nothing would end it. A target that has room for no more
// than one in any case is what the user wants.
func risky(s *census.Socket, target tcpopt.Config) bool {
	switch {
	case target.KeepAlive != tcpopt.On || !s.Counted || !s.Heard:
		return false // The timer does not run, or nothing is known.
	case s.Pending > 0:
		return false // The timer waits until that is acknowledged, which is an answer.
	case milder(s, target):
		return false
	}
	room := probesLeft(target, 0)
	if s.Config.KeepAlive == tcpopt.On {
		room = min(2, room)
	}
	return s.Probes > 0 || probesLeft(target, s.Silence) < room
}

// probesLeft is how many probes a connection sends before c ends it, if it was
// silent for so long and has none unanswered.
func probesLeft(c tcpopt.Config, silence time.Duration) int {
	if c.UserTimeout == 0 {
		return c.Count
	}
	left := c.UserTimeout - max(silence, late(c.Idle))
	if left <= 0 || c.Interval <= 0 {
		return 1
	}
	return 1 + int(left/late(c.Interval))
}

// outlasts reports whether the timer of s runs for longer than the idle time of
// target, unless that is set, be it the same: switching on restarts it, and it may
// run with an interval that is longer.
func outlasts(s *census.Socket, target tcpopt.Config) bool {
	if target.KeepAlive != tcpopt.On || s.State == census.StateListen || s.Probes > 0 && milder(s, target) {
		return false
	}
	return s.Config.KeepAlive != tcpopt.On || s.Config.Interval > target.Idle
}

// milder reports whether target ends s no sooner than what s has, and sends its
// last probe no sooner.
func milder(s *census.Socket, target tcpopt.Config) bool {
	c, restarts := s.Config, target.Idle != s.Config.Idle
	switch {
	case c.KeepAlive != tcpopt.On || target.Interval < c.Interval:
		return false
	case restarts && target.Idle < s.Silence+late(c.Interval):
		return false // The timer would be restarted, and run out sooner.
	case restarts && target.UserTimeout > 0 && target.UserTimeout <= late(target.Idle):
		return false // It would end s when it runs out next.
	case target.UserTimeout > 0 && c.UserTimeout > 0:
		// The last probe goes out up to an interval before the user timeout.
		return target.UserTimeout >= c.UserTimeout+late(target.Interval) ||
			target.UserTimeout >= c.UserTimeout && target.Interval == c.Interval && !restarts
	case target.UserTimeout > 0:
		left := time.Duration(max(0, c.Count-s.Probes)) * late(c.Interval)
		return target.UserTimeout >= s.Silence+left+late(target.Interval)
	case c.UserTimeout > 0:
		left := max(0, c.UserTimeout-s.Silence)
		return c.Interval > 0 && target.Count-s.Probes > int((left+c.Interval-1)/c.Interval)
	}
	return target.Count >= c.Count
}

// question is what makes s ask its peer for an answer, at once and each second,
// and does not end it meanwhile. There may be none.
func question(s *census.Socket, target tcpopt.Config) (c tcpopt.Config, ok bool) {
	c = s.Config
	switch {
	case c.KeepAlive != tcpopt.On:
		// Its twin ends by nothing: this one has all the time that target gives.
		c = target
		c.Count = min(s.Probes+probesIn(target, asking, 0), mostProbes)
	case s.Silence >= c.Idle && c.Interval <= asking:
		return c, false // It asks as it is.
	case c.UserTimeout == 0 && max(s.Probes, c.Count) > mostProbes-10:
		return c, false // There is no higher count to make up for what is spent.
	default:
		c.Count = mostProbes
	}
	c.Idle = min(c.Idle, s.Silence.Truncate(time.Second))
	c.Interval, c.UserTimeout = asking, 0
	return c, c.Idle > 0 && c.Count > s.Probes
}

// probesIn is how many probes at an interval fill what is left of the time in which
// c notices a dead peer, after so much of it.
func probesIn(c tcpopt.Config, interval, after time.Duration) int {
	idle, _ := c.DetectionTime()
	return max(1, int(min((idle-after-1)/interval+1, mostProbes)))
}

// unanswered is what first becomes if its peer has not answered while s was asked.
// The probes that are out since then count, and come at other times: s is to end no
// sooner, and to send its last probe no sooner, than if it had not been asked.
func unanswered(first, s *census.Socket, target tcpopt.Config) tcpopt.Config {
	c := first.Config
	switch {
	case s.Probes == 0:
		return c // It has answered, and something else is in the way.
	case c.KeepAlive != tcpopt.On:
		c = target
		c.UserTimeout = 0
		c.Count = s.Probes + probesIn(target, max(c.Interval, asking), patience)
	case c.UserTimeout > 0:
		c.UserTimeout = max(c.UserTimeout, late(c.Idle), first.Silence) + late(c.Interval)
	default:
		c.Count += s.Probes - first.Probes
		if first.Silence >= c.Idle {
			c.Count++
		}
	}
	c.Count = min(c.Count, mostProbes)
	return c
}
