package tcpopt

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// A Config is everything that decides when the system gives up a silent peer.
type Config struct {
	// KeepAlive is SO_KEEPALIVE: On or Off as it was read, and Leave where it
	// cannot be. A new socket has it off, and Leave does not change that.
	KeepAlive Switch

	// Idle, Interval and Count are TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT, and
	// UserTimeout is TCP_USER_TIMEOUT or its equivalent; see the getters and setters
	// of Socket. A zero field is "cannot be read here" when it was read and "leave
	// alone" when it is applied. On Linux a sysctl of zero reads as zero too, and on
	// illumos an interval or a count that was never set. A UserTimeout of [Unbounded]
	// is none, read and applied, so that what was read can be put back;
	// [Socket.UserTimeout] and [Socket.SetUserTimeout] have zero for that. A socket
	// that has no user timeout, as one of multipath TCP, refuses Unbounded too: use
	// [Socket.SetSupported] to put back what was read elsewhere.
	Idle        time.Duration
	Interval    time.Duration
	Count       int
	UserTimeout time.Duration
}

// ConfigFromNet returns what [net.TCPConn.SetKeepAliveConfig] sets for k, where a
// zero time is 15 s, a zero count is 9, and what is negative is left alone. If
// k.Enable is false it is Off, with the times all the same; a [net.Dialer] and a
// [net.ListenConfig] ignore such a k.
func ConfigFromNet(k net.KeepAliveConfig) Config {
	return Config{
		KeepAlive: SwitchOf(k.Enable),
		Idle:      max(0, cmp.Or(k.Idle, 15*time.Second)),
		Interval:  max(0, cmp.Or(k.Interval, 15*time.Second)),
		Count:     max(0, cmp.Or(k.Count, 9)),
	}
}

// Config returns everything in effect on the socket, read in one visit to its
// descriptor. A field that this system or this socket lacks is zero, as is the
// user timeout of a multipath TCP socket; any other refusal is an error, and
// then the Config is zero.
//
// What a kernel reports may be more than it lets a socket set: a system-wide
// idle time of 24 hours is legal on Linux, where a socket takes at most 32767 s.
// [Socket.SetConfig] then refuses to restore it, and says so. On FreeBSD a
// connection that the kernel has ended cannot be read: the error is ECONNRESET.
func (s Socket) Config() (Config, error) {
	v := visit{spare: true}
	for _, o := range [...]*option{&keepAlive, &keepIdle, &keepInterval, &keepCount, &userTimeout} {
		v.add(o, 0, nil)
	}
	if err := s.do(&v); err != nil {
		return Config{}, err
	}
	c := Config{
		Idle:        keepIdle.duration(v.steps[1].n),
		Interval:    keepInterval.duration(v.steps[2].n),
		Count:       int(v.steps[3].n),
		UserTimeout: userTimeout.duration(v.steps[4].n),
	}
	if !v.steps[0].lacks {
		c.KeepAlive = SwitchOf(v.steps[0].n != 0)
	}
	if !v.steps[4].lacks && c.UserTimeout == 0 {
		c.UserTimeout = Unbounded
	}
	return c, nil
}

// SetConfig sets every field of c that is not zero, and leaves the others alone:
// Config{UserTimeout: d} does not touch keepalive, and Config{KeepAlive: Off}
// touches nothing else. Config{} asks for nothing, so SetConfig makes no system
// call and returns nil, also where the connection is closed or the system has no
// options; only the zero Socket is refused. A UserTimeout of [Unbounded] gives the
// decision back to the system, as SetUserTimeout(0) does; it is refused where that
// is.
//
// Values are rounded, and refused, as by the setter of each; a Switch other than
// Leave, On and Off is refused on every system. A Config that is refused by
// [Config.Validate], or because the socket lacks an option, has changed nothing.
// If the kernel refuses a value for another reason, what was written before
// stands, in the order user timeout, idle, interval, count, SO_KEEPALIVE (on
// macOS and iOS SO_KEEPALIVE before idle), and the error names the option that
// failed.
//
// Set it early: on a connection that has been silent for long, or has probes
// unanswered, a change can end what is healthy; see "Set early" in the package
// documentation. Windows before version 1709 sets Idle and Interval together
// through SIO_KEEPALIVE_VALS, to the millisecond, which switches keepalive on;
// where it was off, SetConfig switches it off again at once. There, one that is
// no option of its own is unsupported without the other.
func (s Socket) SetConfig(c Config) error {
	if s.conn != nil {
		var v visit // It escapes where Go is older than 1.26.
		v.set = true
		if c.addTo(&v); v.err != nil {
			return v.refusal()
		}
		return setAll(s.conn, v.steps[:v.len])
	}
	v := visit{set: true}
	c.addTo(&v)
	return s.do(&v)
}

// SetSupported is [Socket.SetConfig] for as much of c as there is here: what this
// system, its kernel or this socket lacks is left out, and is no error. It returns
// c with the fields that were left out zero, and the others as given. So the
// result is c if all of it was set, and Config{} where nothing could be: on plan9,
// js and wasip1, and on a listener of [FromListener] whose connections are not
// known to inherit.
//
// On a multipath TCP socket, which connections of a Linux server may be, it sets
// all but the user timeout, where SetConfig refuses all. A value that is out of
// the range of an option that is there is refused, and nothing has changed. Any
// other refusal is an error too, and the Config is what had been set by then.
func (s Socket) SetSupported(c Config) (Config, error) {
	v := visit{set: true, spare: true}
	c.Supported().addTo(&v)
	err := s.do(&v)
	return v.written(c), err
}

// written is what the visit has set of c.
func (v *visit) written(c Config) (done Config) {
	for _, at := range v.steps[:v.done] {
		if at.lacks {
			continue
		}
		switch at.option {
		case &keepAlive:
			done.KeepAlive = c.KeepAlive
		case &keepIdle:
			done.Idle = c.Idle
		case &keepInterval:
			done.Interval = c.Interval
		case &keepPair:
			done.Idle, done.Interval = c.Idle, c.Interval
		case &keepCount:
			done.Count = c.Count
		case &userTimeout:
			done.UserTimeout = c.UserTimeout
		}
	}
	return done
}

// Validate returns the [*OptionError] with which [Socket.SetConfig] would refuse c on
// every socket of this system: a field that is negative, out of range or not on this
// system, a Switch other than Leave, On and Off, or times that are too long together.
// It asks no socket.
func (c Config) Validate() error {
	v := visit{set: true}
	c.addTo(&v)
	return v.refusal()
}

// Supported returns c without the fields that this system lacks. It drops and
// never clamps: a value out of range stays, for Validate and SetConfig to
// refuse. It knows the system, not your socket and not the kernel's version: a
// multipath TCP socket of Linux and FreeBSD 13 have no user timeout all the same,
// and with one in c, SetConfig(c.Supported()) sets nothing there. Use
// [Socket.SetSupported] for that, and Supported for the Control functions.
func (c Config) Supported() Config {
	paired := paired(c.Idle, c.Interval)
	if !keepAlive.present() && c.KeepAlive <= Off { // Others are wrong everywhere.
		c.KeepAlive = Leave
	}
	if !paired && !keepIdle.present() {
		c.Idle = 0
	}
	if !paired && !keepInterval.present() {
		c.Interval = 0
	}
	if !keepCount.present() {
		c.Count = 0
	}
	if !userTimeout.present() {
		c.UserTimeout = 0
	}
	return c
}

// DialControl is a Control function that applies c before connect:
//
//	net.Dialer{KeepAlive: -1, Control: c.DialControl}
//
// A new socket has keepalive off, so c.KeepAlive must be On to have it. The
// method value holds a copy: what becomes of c later does not change it.
//
// Without the negative KeepAlive package net sets its own keepalive after connect
// and overwrites c. On Linux the user timeout also bounds connect, to at least
// 1 s, and may lengthen it. A dialer that asks for multipath TCP falls back to
// plain TCP by itself if DialControl fails, and calls it again: with a user timeout
// it always dials plain TCP. If network is not tcp, tcp4 or tcp6, the error matches
// [errors.ErrUnsupported] and is no [*OptionError]. On plan9 net calls no Control
// function, and c is not applied.
func (c Config) DialControl(network, address string, rc syscall.RawConn) error {
	return c.control(network, rc, stream)
}

// ListenControl is a Control function that applies c to a listener, whose
// accepted connections inherit it:
//
//	net.ListenConfig{KeepAlive: -1, Control: c.ListenControl}
//
// Leave is off, and the method value holds a copy of c, as with
// [Config.DialControl].
//
// Without the negative KeepAlive package net sets its own keepalive on each
// accepted connection. Where connections do not inherit (see the table of the
// package documentation) the error matches [errors.ErrUnsupported], as it does if
// network is not tcp, tcp4 or tcp6; use [NewListener] there.
//
// On Linux, in a program whose go.mod says go 1.24 or later, listeners of package
// net speak multipath TCP by default, which has no user timeout. If c has one, net
// drops the error, opens plain TCP instead and calls ListenControl again: the
// listener speaks plain TCP, and nothing reports it. On plan9, js and wasip1 net calls
// no Control function of a listener, and c is not applied.
func (c Config) ListenControl(network, address string, rc syscall.RawConn) error {
	return c.control(network, rc, listener)
}

func (c Config) control(network string, rc syscall.RawConn, k kind) error {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return fmt.Errorf("tcpopt: network %q is not TCP: %w", network, errors.ErrUnsupported)
	}
	return Socket{raw: rc, kind: k}.SetConfig(c)
}

// paired reports whether idle and interval must be, and can be, set together.
func paired(idle, interval time.Duration) bool {
	return idle != 0 && interval != 0 && keepPair.present() &&
		!(keepIdle.present() && keepInterval.present())
}

// addTo adds what SetConfig does. What a socket may lack comes first.
func (c Config) addTo(v *visit) {
	switch c.UserTimeout {
	case 0:
	case Unbounded:
		v.add(&userTimeout, 0, userTimeout.checkNone())
	default:
		v.addDuration(&userTimeout, c.UserTimeout)
	}
	if keepIdle.needsOn {
		v.addSwitch(c.KeepAlive)
	}
	switch {
	case paired(c.Idle, c.Interval):
		v.addPair(c.Idle, c.Interval)
	default:
		if c.Idle != 0 {
			v.addDuration(&keepIdle, c.Idle)
		}
		if c.Interval != 0 {
			v.addDuration(&keepInterval, c.Interval)
		}
	}
	if c.Count != 0 {
		v.add(&keepCount, int64(c.Count), keepCount.check(int64(c.Count)))
	}
	if !keepIdle.needsOn {
		v.addSwitch(c.KeepAlive)
	}
	if v.err == nil && c.Interval > 0 && c.Count > 0 && keepIdle.mostSum > 0 {
		v.checkSum(keepIdle.rounded(c.Idle), keepInterval.rounded(c.Interval), c.Count)
	}
}

// checkSum refuses what the kernel would add up to less. A field that is left
// alone counts as zero, since its value is not known.
func (v *visit) checkSum(idle, interval time.Duration, count int) {
	if most := keepIdle.mostSum; int64(count) > int64((most-idle)/interval) {
		v.at = &keepCount
		v.err = invalid(fmt.Sprintf("%d: out of range (idle + count × interval is at most %v)", count, most))
	}
}
