package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tcpopt/tcpopt"
)

// A change is what to set; a nil field is left alone. Times are as the kernel
// has them.
type change struct {
	enable         *bool
	idle, interval *time.Duration
	count          *int
	timeout        *time.Duration
}

// complete adds what within means, and refuses what the system would.
func (c *change) complete(within *time.Duration, noTimeout bool) error {
	switch {
	case within != nil && !c.empty():
		return errors.New("-within excludes -on, -off, -idle, -interval, -count and -user-timeout")
	case within != nil:
		w, err := tcpopt.Within(*within)
		if err != nil {
			return err
		}
		on := w.KeepAlive == tcpopt.On
		c.enable, c.idle, c.interval, c.count, c.timeout = &on, &w.Idle, &w.Interval, &w.Count, &w.UserTimeout
		if noTimeout {
			c.timeout = nil
		}
	case noTimeout:
		return errors.New("-no-user-timeout goes with -within")
	case c.empty():
		return errors.New("set what? -within, -on, -off, -idle, -interval, -count or -user-timeout is needed")
	}
	c.round()
	// A system that lacks an option has no census either, which says so.
	if err := c.on(tcpopt.Config{}).Validate(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// round rounds times up to what the kernel counts in, or else a socket that has
// them would never be as wanted.
func (c *change) round() {
	for _, t := range []struct {
		d    *time.Duration
		unit time.Duration
	}{{c.idle, time.Second}, {c.interval, time.Second}, {c.timeout, time.Millisecond}} {
		if t.d == nil {
			continue
		}
		if rest := *t.d % t.unit; rest != 0 && *t.d <= tcpopt.Unbounded-t.unit {
			*t.d += t.unit - rest
		}
	}
}

func (c change) empty() bool { return c == change{} }

// missing is the part of c that a socket does not have yet.
func (c change) missing(now tcpopt.Config) change {
	if c.enable != nil && *c.enable == (now.KeepAlive == tcpopt.On) {
		c.enable = nil
	}
	if c.idle != nil && *c.idle == now.Idle {
		c.idle = nil
	}
	if c.interval != nil && *c.interval == now.Interval {
		c.interval = nil
	}
	if c.count != nil && *c.count == now.Count {
		c.count = nil
	}
	if c.timeout != nil && *c.timeout == now.UserTimeout {
		c.timeout = nil
	}
	return c
}

// on is what becomes of a Config by c.
func (c change) on(config tcpopt.Config) tcpopt.Config {
	if c.enable != nil {
		config.KeepAlive = tcpopt.SwitchOf(*c.enable)
	}
	if c.idle != nil {
		config.Idle = *c.idle
	}
	if c.interval != nil {
		config.Interval = *c.interval
	}
	if c.count != nil {
		config.Count = *c.count
	}
	if c.timeout != nil {
		config.UserTimeout = *c.timeout
	}
	return config
}

var on, off = true, false

// difference is the change that makes after into before, of which it keeps
// pointers. It allocates nothing: a descriptor may be held.
func difference(before *tcpopt.Config, after tcpopt.Config) change {
	enable := &off
	if before.KeepAlive == tcpopt.On {
		enable = &on
	}
	c := change{enable, &before.Idle, &before.Interval, &before.Count, &before.UserTimeout}
	return c.missing(after)
}

// write sets c. SetConfig cannot set a user timeout of 0 and has another order:
// Linux counts an idle time that is set after the switch from the last segment of
// the peer, and probes at once if that is long ago. A count that matters only
// without a user timeout is set before there is none.
func (c *change) write(s tcpopt.Socket) error {
	if c.timeout != nil && *c.timeout != 0 {
		if err := s.SetUserTimeout(*c.timeout); err != nil {
			return err
		}
	}
	if c.interval != nil {
		if err := s.SetKeepAliveInterval(*c.interval); err != nil {
			return err
		}
	}
	if c.count != nil {
		if err := s.SetKeepAliveCount(*c.count); err != nil {
			return err
		}
	}
	if c.timeout != nil && *c.timeout == 0 {
		if err := s.SetUserTimeout(0); err != nil {
			return err
		}
	}
	if c.enable != nil {
		if err := s.SetKeepAlive(*c.enable); err != nil {
			return err
		}
	}
	if c.idle != nil {
		return s.SetKeepAliveIdle(*c.idle)
	}
	return nil
}

// possible is the part of c that can be set on a socket, and the rest: the system
// may give a socket more, or zero.
func (c change) possible() (can, cannot change) {
	refused := func(c tcpopt.Config) bool { return c == tcpopt.Config{} || c.Validate() != nil }
	can = c
	if c.idle != nil && refused(tcpopt.Config{Idle: *c.idle}) {
		can.idle, cannot.idle = nil, c.idle
	}
	if c.interval != nil && refused(tcpopt.Config{Interval: *c.interval}) {
		can.interval, cannot.interval = nil, c.interval
	}
	if c.count != nil && refused(tcpopt.Config{Count: *c.count}) {
		can.count, cannot.count = nil, c.count
	}
	return can, cannot
}

// flags are the flags of set that set c.
func (c change) flags() string {
	var s []string
	if c.enable != nil {
		s = append(s, "-"+onOff(*c.enable))
	}
	if c.idle != nil {
		s = append(s, "-idle "+short(*c.idle))
	}
	if c.interval != nil {
		s = append(s, "-interval "+short(*c.interval))
	}
	if c.count != nil {
		s = append(s, fmt.Sprintf("-count %d", *c.count))
	}
	if c.timeout != nil {
		s = append(s, "-user-timeout "+short(*c.timeout))
	}
	return strings.Join(s, " ")
}
