package tcpopt

import (
	"fmt"
	"math"
	"time"
)

// Unbounded means no limit: the detection time of a [Config] that sets none, and the
// user timeout of one that has none. It is greater than any other time. It prints as
// 2562047h47m16.854775807s, so look for it before you show a time to people.
const Unbounded time.Duration = math.MaxInt64

// DetectionTime returns how long a dead peer goes unnoticed at worst on a socket
// of this system that has c: with nothing in flight, counted from the last
// segment that came from the peer, and with unacknowledged data, counted from
// the first of it. Unbounded means that nothing in c sets a limit; so a zero
// field counts as no limit, but for a count that is built into the system. What
// is in effect on a socket is what its own [Socket.Config] returns. Times count
// as the setters round them; nothing is refused, see [Config.Validate].
//
// The times are nominal. Idle is first + count × interval. First is the idle time,
// and on Linux the longer of idle time and interval, since a probe sets the timer
// to the interval there and its answer does not set it again; a connection that was
// never probed may end sooner. On Linux a user timeout takes the place of count:
// the connection ends at the first probe that is due when it has passed, and not
// before the second. If the interval is the longer one, what the peer sends between
// two probes shifts when the next are due after it; where one can so go out just
// before the user timeout, idle is user timeout + interval.
//
// Busy is the user timeout, or Unbounded: the system's own limit for
// retransmissions then decides, about 15 minutes on Linux. On macOS, the BSDs and
// illumos keepalive also ends a connection with data in flight, and busy is at
// most as long as idle. There it counts from the last segment: 4 s + 2 × 2 s took
// 8.0 s on FreeBSD 13.0 and NetBSD 7.99.34. By its source illumos then looks only
// once per idle time, and may be one idle time later.
//
// Measured on Linux 6.18: each timer runs up to 1/8 of its time late; where the
// user timeout lies less than a tick behind a probe that is due, it is met by
// that probe, an interval early; with data in flight the end comes up to two
// retransmission times after the user timeout; and a write just before the end
// starts the clock again, with the user timeout as the limit. Without a user
// timeout, that write is the busy case. A connection that speaks multipath TCP
// outlives its last path by the sysctl net.mptcp.close_timeout, 60 s.
func (c Config) DetectionTime() (idle, busy time.Duration) {
	idle, busy = Unbounded, Unbounded
	i, n := keepIdle.rounded(c.Idle), keepInterval.rounded(c.Interval)
	first, count := firstProbe(i, n), int64(c.Count)
	if !keepCount.present() {
		count = keepCount.fixed
	}
	if ut := userTimeout.rounded(c.UserTimeout); ut > 0 && ut != Unbounded {
		busy = ut
		if userTimeout.outranksCount && n > 0 {
			count = max(1, ceil(ut-first, n))
			if (ut-1)%n >= i {
				// Of probes that come at idle or later, one may come just before ut.
				first, count = max(first, ut), 1
			}
		}
	}
	if c.KeepAlive == On && i > 0 && n > 0 && count > 0 && count <= int64((Unbounded-first)/n) {
		idle = first + time.Duration(count)*n
	}
	if keepIdle.endsBusy {
		busy = min(busy, idle)
	}
	return idle, busy
}

// MaxSilence returns the longest that a healthy connection with c carries no
// segment while neither side sends data: until a probe is due and answered. On
// Linux that is the longer of idle time and interval, see [Config.DetectionTime],
// elsewhere the idle time. A NAT router, firewall or load balancer on the way must
// remember a silent connection for longer. It is nominal, with up to 1/8 more on
// Linux; the peer may have a keepalive of its own that shortens it.
//
// It is Unbounded if keepalive is not On, or if the idle time, on Linux also the
// interval, is zero.
// Times count as the setters round them.
func (c Config) MaxSilence() time.Duration {
	i, n := keepIdle.rounded(c.Idle), keepInterval.rounded(c.Interval)
	if c.KeepAlive != On || i <= 0 || n <= 0 && keepIdle.rearmsWithInterval {
		return Unbounded
	}
	return firstProbe(i, n)
}

// firstProbe is the longest from the last segment to the first probe.
func firstProbe(idle, interval time.Duration) time.Duration {
	if keepIdle.rearmsWithInterval {
		return max(idle, interval)
	}
	return idle
}

// Within returns the Config that asks the kernel to notice a dead peer within d,
// whether data is in flight or not: three probes; an interval of a sixth of d,
// to the second, or more where the rest is too long for an idle time; the rest as
// idle time; and a user timeout of d where the system has one. (Windows
// before version 1703 sends ten probes, at an interval of a twentieth.) d is
// rounded down to whole seconds. Its [Config.DetectionTime] is d; see there for
// what is nominal about that. One lost probe does not end a connection (RFC
// 9293, MUST-29). Where the system's limits allow, idle is at most five intervals,
// so that a late timer costs no probe.
//
// Within refuses a d below 3 s, for which two probes are sent, or above what the
// system takes, with an error that names the limit and matches [syscall.EINVAL].
// Where a socket has no times of its own (OpenBSD, plan9, js, wasip1), the error
// matches [errors.ErrUnsupported]. With an error the Config is zero. The least
// is more on Solaris, 30 s; the most is 36h24m28s on Linux.
//
// All this is promised of a connection that has the Config from the start. One
// that is silent when it is set may end for one lost packet, and on some systems
// for none; see "Set early" in the package documentation.
//
// The user timeout has a price on Linux: a peer that acknowledges but keeps its
// window shut for d is given up too, and set before connect, as by
// [Config.DialControl], it also bounds connect, to at least 1 s. To do without
// it, set UserTimeout to zero; then a connection with data in flight has the
// system's own limit alone.
func Within(d time.Duration) (Config, error) {
	whole := d.Truncate(time.Second)
	c, least := within(whole)
	switch {
	case least == 0:
		return Config{}, fmt.Errorf("tcpopt: within %v: %s: %w", d, keepIdle.label, keepIdle.unsupported())
	case whole < least || c.Validate() != nil:
		most, above := least, Unbounded.Truncate(time.Second)
		for above-most > time.Second {
			middle := most + ((above - most) / 2).Truncate(time.Second)
			if c, _ := within(middle); c.Validate() == nil {
				most = middle
			} else {
				above = middle
			}
		}
		return Config{}, fmt.Errorf("tcpopt: within %v: %w", d, invalid(fmt.Sprintf("the least is %v, the most is %v", least, most)))
	}
	return c, nil
}

// within returns what Within does for whole seconds if the system takes it, and
// the least that it may be; 0 if a socket has no times.
func within(whole time.Duration) (c Config, least time.Duration) {
	c = Config{KeepAlive: On, UserTimeout: whole}
	if !userTimeout.present() {
		c.UserTimeout = 0
	}
	switch {
	case keepCount.present():
		tick := max(time.Second, keepInterval.duration(keepInterval.least))
		first := max(time.Second, keepIdle.duration(keepIdle.least))
		least = first + 2*tick
		// What the longest idle time leaves over is shared by three intervals.
		c.Interval = max((whole / 6).Round(time.Second), tick, time.Duration(ceil(whole-keepIdle.duration(keepIdle.most), 3*time.Second))*time.Second)
		c.Interval = min(c.Interval, keepInterval.duration(keepInterval.most))
		c.Count = 3
		if whole < first+3*c.Interval {
			c.Count = 2
		}
		c.Idle = whole - time.Duration(c.Count)*c.Interval
	case keepPair.present(): // To the millisecond.
		least = 3 * time.Second
		count := time.Duration(keepCount.fixed)
		c.Interval = (whole / (2 * count)).Truncate(time.Millisecond)
		c.Idle = whole - count*c.Interval
	}
	return c, least
}
