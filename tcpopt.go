package tcpopt

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// A Socket reads and sets the options of one TCP socket.
//
// It is a small value that owns nothing: copy it, drop it. It does not keep a
// descriptor, so it needs no Close, and once the connection is closed its methods
// fail with an error that matches [net.ErrClosed]. Two Sockets of the same
// [*net.TCPConn] are equal. A Socket may be used by several goroutines at once.
// The zero Socket has no connection and answers [syscall.EINVAL].
type Socket struct {
	conn *net.TCPConn    // set apart from raw: only the concrete type is reached without allocating
	raw  syscall.RawConn // any other
	kind kind
}

// kind is what is known of Socket.raw.
type kind uint8

const (
	unknown  kind = iota // asked at each call whether it is TCP
	stream               // TCP, asked once
	listener             // TCP, accepting connections
)

// maxUnwrap is how many wrappers FromConn looks through; they may be a ring.
const maxUnwrap = 16

// FromConn returns the Socket of c.
//
// c is a [*net.TCPConn], or anything that leads to one by a method
// NetConn() net.Conn, as [*crypto/tls.Conn] does. Any other c that implements
// [syscall.Conn] is asked once whether it is a TCP socket. The error matches
// [errors.ErrUnsupported] if c is something else, such as a [*net.UDPConn], a
// [*net.UnixConn] or one end of [net.Pipe], and [syscall.EINVAL] if c is nil.
//
// FromConn changes nothing on c.
func FromConn(c net.Conn) (Socket, error) {
	inner := c
	for range maxUnwrap + 1 {
		switch t := inner.(type) {
		case nil:
			return Socket{}, fmt.Errorf("tcpopt: %T holds no connection: %w", c, syscall.EINVAL)
		case *net.TCPConn:
			if t == nil {
				return Socket{}, fmt.Errorf("tcpopt: nil %T: %w", t, syscall.EINVAL)
			}
			return Socket{conn: t}, nil
		case interface{ NetConn() net.Conn }:
			inner = t.NetConn()
		case syscall.Conn:
			return fromSyscallConn(t, stream)
		default:
			return Socket{}, fmt.Errorf("tcpopt: %T is not a TCP connection: %w", inner, errors.ErrUnsupported)
		}
	}
	return Socket{}, fmt.Errorf("tcpopt: %T wraps more than %d connections: %w", c, maxUnwrap, errors.ErrUnsupported)
}

// FromListener returns the Socket of l, a [*net.TCPListener] or another
// listener that implements [syscall.Conn]. Options set on it are those of
// every connection it accepts, at no cost per connection, on the systems where
// accepted connections are known to inherit: Linux, FreeBSD, DragonFly and
// Windows. On the others every setter of a listener's Socket fails with an error
// that matches [errors.ErrUnsupported]. On macOS connections do not inherit the
// idle time, and keepalive on a listening socket ends the listener. There, set
// the options of each connection after Accept.
//
// Call FromListener before [crypto/tls.NewListener], whose result hides the
// socket. On Linux a listener of package net speaks multipath TCP unless
// [net.ListenConfig.SetMultipathTCP] says no; such a listener has no user
// timeout.
func FromListener(l net.Listener) (Socket, error) {
	switch t := l.(type) {
	case nil:
		return Socket{}, fmt.Errorf("tcpopt: nil listener: %w", syscall.EINVAL)
	case syscall.Conn:
		return fromSyscallConn(t, listener)
	}
	return Socket{}, fmt.Errorf("tcpopt: %T does not give its socket: %w", l, errors.ErrUnsupported)
}

// FromRawConn returns the Socket of rc, as [net.Dialer.Control] and
// [net.ListenConfig.Control] get it before connect and before bind. Each call
// first asks whether rc is a TCP socket; if it is not, the error matches
// [errors.ErrUnsupported], although many systems would accept SO_KEEPALIVE on
// any socket and do nothing with it.
//
// Package net sets its own keepalive after Control, on every connection that
// it dials or accepts, unless the KeepAlive field of the [net.Dialer] or
// [net.ListenConfig] is negative and its KeepAliveConfig is not enabled.
//
// It cannot be seen that rc will listen: on macOS, where keepalive ends a
// listening socket, use [Config.ListenControl] or [FromListener], which refuse.
func FromRawConn(rc syscall.RawConn) Socket { return Socket{raw: rc} }

// KeepAlive reports whether the system probes the peer of a silent connection:
// SO_KEEPALIVE, RFC 9293 section 3.8.4. While the sysctl
// net.inet.tcp.always_keepalive is not 0, the system probes where it is off as
// well: FreeBSD and DragonFly, where it is 1 by default, macOS and OpenBSD.
func (s Socket) KeepAlive() (bool, error) {
	n, err := s.get(&keepAlive)
	return n != 0, err
}

// SetKeepAlive switches keepalive on or off and changes nothing else. On Linux
// the first probe is due a whole idle time after the switch, however long the
// connection was silent before.
func (s Socket) SetKeepAlive(on bool) error {
	v := visit{op: "set"}
	v.addSwitch(on)
	return s.do(&v)
}

// KeepAliveIdle returns how long a connection is silent before the first
// probe: TCP_KEEPIDLE, on macOS and iOS TCP_KEEPALIVE. On a socket where it was
// never set it is the system's default, which on Linux may be a value that
// [Socket.SetKeepAliveIdle] refuses. On OpenBSD, which has no such option, it is
// the system-wide value, in effect on every socket. Windows documents it since
// Windows 10 version 1709; where it is missing, the error matches
// [errors.ErrUnsupported].
func (s Socket) KeepAliveIdle() (time.Duration, error) {
	return s.getDuration(&keepIdle)
}

// SetKeepAliveIdle sets how long a connection is silent before the first
// probe, and leaves on or off, interval and count as they were. d is rounded up
// to whole seconds. Zero, a negative d and one beyond the system's range (see
// the package documentation) are refused before any system call, with an error
// that matches [syscall.EINVAL] and names the range.
//
// Once set, an idle time cannot be given back to the system on Linux: only the
// default's present value can be stored. On a connection that is already silent
// for longer than d, Linux sends a probe at once, and each repetition sends
// another, so that repeating the call on a dead connection ends it early. On
// macOS the value takes effect only when keepalive is on already.
//
// The error matches [errors.ErrUnsupported] on OpenBSD, plan9, js and wasip1,
// and on a Windows before version 1709 that lacks the option; idle and interval
// can be set together there, see [Socket.SetConfig].
func (s Socket) SetKeepAliveIdle(d time.Duration) error {
	return s.setDuration(&keepIdle, d)
}

// KeepAliveInterval returns the time between two probes: TCP_KEEPINTVL.
// Where it was never set it is the system's default; illumos answers 0, since
// it then spaces its probes by exponential backoff. On OpenBSD it is the
// system-wide value. Before Windows 10 version 1709 it cannot be read: the
// error matches [errors.ErrUnsupported].
func (s Socket) KeepAliveInterval() (time.Duration, error) {
	return s.getDuration(&keepInterval)
}

// SetKeepAliveInterval sets the time between two probes. d is rounded up to
// whole seconds; zero, negative and out of range are refused as by
// [Socket.SetKeepAliveIdle], and it is unsupported where that is. illumos takes
// at most 60 s. On Linux a probe that is already scheduled keeps its time.
func (s Socket) SetKeepAliveInterval(d time.Duration) error {
	return s.setDuration(&keepInterval, d)
}

// KeepAliveCount returns after how many unanswered probes the connection is
// given up: TCP_KEEPCNT. Where it was never set it is the system's default;
// illumos answers 0. OpenBSD has 8 and Windows before version 1703 has 10 built
// in, and that is the answer there. On Linux the count has no effect while the
// user timeout is set, see [Socket.SetUserTimeout].
func (s Socket) KeepAliveCount() (int, error) {
	n, err := s.get(&keepCount)
	return int(n), err
}

// SetKeepAliveCount sets after how many unanswered probes the connection is
// given up. Zero, negative and out of range are refused as by
// [Socket.SetKeepAliveIdle]. With 1, a single lost packet ends a healthy
// connection (RFC 9293, MUST-29). The error matches [errors.ErrUnsupported] on
// OpenBSD, on Windows before version 1703, plan9, js and wasip1.
func (s Socket) SetKeepAliveCount(n int) error {
	v := visit{op: "set"}
	v.add(&keepCount, int64(n), keepCount.check(int64(n)))
	return s.do(&v)
}

// UserTimeout returns how long sent data may stay unacknowledged before the
// connection is given up; zero is the system's own limit. It is
// TCP_USER_TIMEOUT on Linux (RFC 5482), TCP_RXT_CONNDROPTIME on macOS and iOS,
// TCP_MAXUNACKTIME on FreeBSD 14 and later, and TCP_ABORT_THRESHOLD on illumos
// and Solaris. On these three a socket that was never set answers the system's
// default.
// On other systems, and on a multipath TCP socket of Linux, the error matches
// [errors.ErrUnsupported].
func (s Socket) UserTimeout() (time.Duration, error) {
	return s.getDuration(&userTimeout)
}

// SetUserTimeout sets how long sent data may stay unacknowledged. d is rounded
// up to milliseconds on Linux, illumos and Solaris and to seconds on macOS, iOS
// and FreeBSD. Zero gives the decision back to the system; on illumos it would
// mean "never", so it is refused there and on Solaris. Negative and out of range
// are refused as by [Socket.SetKeepAliveIdle]; unsupported where
// [Socket.UserTimeout] is.
//
// On Linux a user timeout also takes the place of count: a silent connection is
// given up at the first probe that is due after d, and a peer that acknowledges
// but keeps its window shut for d is given up as well (tcp(7)).
func (s Socket) SetUserTimeout(d time.Duration) error {
	return s.setDuration(&userTimeout, d)
}

// An OptionError tells which option could not be read or set. It matches
// [errors.ErrUnsupported] if the system, its kernel or this socket has no such
// option, [net.ErrClosed] if the connection is closed, and [syscall.EINVAL] if
// the value was refused before the kernel was asked.
type OptionError struct {
	Op     string // "get" or "set"
	Option string // as the system's manual names it: "TCP_KEEPIDLE"
	Err    error  // often an *os.SyscallError
}

func (e *OptionError) Error() string {
	return "tcpopt: " + e.Op + " " + e.Option + ": " + e.Err.Error()
}

func (e *OptionError) Unwrap() error { return e.Err }

// Is reports whether target is [errors.ErrUnsupported] and the kernel said, in
// whatever number, that it has no such option.
func (e *OptionError) Is(target error) bool {
	return target == errors.ErrUnsupported && lacksOption(e.Err)
}

// An option is a row: one option as one system has it.
type option struct {
	label       string
	level       int
	name        uint32        // 0: no such option here
	unit        time.Duration // of the kernel's number; 0: a count or a switch
	least, most int64         // what may be set, in that unit
	inherits    bool          // an accepted connection gets its listener's value
	system      string        // the system-wide setting to read where there is no option
	fixed       int64         // what is built in where there is neither
	note        string        // why a kernel or a socket may lack it

	needsOn       bool // idle: it has no effect when set while SO_KEEPALIVE is off
	endsBusy      bool // idle: keepalive also ends a connection with data in flight
	outranksCount bool // user timeout: it takes the place of count
}

// kernel converts d to the row's unit, rounded up.
func (o *option) kernel(d time.Duration) (int64, error) {
	if !o.present() {
		return 0, o.unsupported()
	}
	n := ceil(d, o.unit)
	if d < 0 || n < o.least || n > o.most {
		return 0, invalid(fmt.Sprintf("%v: out of range (%v to %v)", d, o.duration(o.least), o.duration(o.most)))
	}
	return n, nil
}

func (o *option) duration(n int64) time.Duration { return time.Duration(n) * o.unit }

// check is kernel for a count or a switch.
func (o *option) check(n int64) error {
	switch {
	case !o.present():
		return o.unsupported()
	case n < o.least || n > o.most:
		return invalid(fmt.Sprintf("%d: out of range (%d to %d)", n, o.least, o.most))
	}
	return nil
}

// unsupported is the answer where this system has no such option.
func (o *option) unsupported() error {
	return fmt.Errorf("%s: %w", cmp.Or(o.note, "not on "+runtime.GOOS), errors.ErrUnsupported)
}

// read returns the value in effect; if blank, 0 is what the socket lacks.
func (o *option) read(fd uintptr, blank bool) (int64, error) {
	switch {
	case o.present():
		n, err := getsockopt(fd, o)
		if blank && lacksOption(err) {
			return 0, nil
		}
		return n, o.refused("getsockopt", err)
	case o.system != "":
		return readSystem(o.system)
	case o.fixed != 0:
		return o.fixed, nil
	case blank:
		return 0, nil
	}
	return 0, o.unsupported()
}

func (o *option) write(fd uintptr, n int64) error {
	return o.refused(setsockopt(fd, o, n))
}

// refused tells of the system call and, if the kernel lacks the option, why.
func (o *option) refused(call string, err error) error {
	err = os.NewSyscallError(call, err)
	if err != nil && o.note != "" && lacksOption(err) {
		err = fmt.Errorf("%w (%s)", err, o.note)
	}
	return err
}

// invalid is an error of the caller's.
type invalid string

func (e invalid) Error() string { return string(e) }
func (e invalid) Unwrap() error { return syscall.EINVAL }

// fromSyscallConn asks c once whether it is TCP.
func fromSyscallConn(c syscall.Conn, k kind) (Socket, error) {
	raw, err := c.SyscallConn()
	if err == nil {
		err = Socket{raw: raw}.control(&visit{ask: true})
	}
	if err != nil {
		return Socket{}, fmt.Errorf("tcpopt: %T: %w", c, err)
	}
	return Socket{raw: raw, kind: k}, nil
}

func (s Socket) get(o *option) (int64, error) {
	v := visit{op: "get"}
	v.add(o, 0, nil)
	err := s.do(&v)
	return v.n[0], err
}

func (s Socket) getDuration(o *option) (time.Duration, error) {
	n, err := s.get(o)
	return o.duration(n), err
}

func (s Socket) setDuration(o *option, d time.Duration) error {
	v := visit{op: "set"}
	v.addDuration(o, d)
	return s.do(&v)
}

// do visits the descriptor, unless something forbids it beforehand.
func (s Socket) do(v *visit) error {
	switch {
	case s.conn == nil && s.raw == nil:
		v.err = invalid("zero Socket")
	case v.err != nil:
	case !keepAlive.present(): // Nor is RawConn.Control implemented there.
		v.err = v.at.unsupported()
	case s.kind == listener && v.op == "set" && !v.inherited():
		v.err = fmt.Errorf("on a listener, whose connections are not known to inherit it on %s: %w", runtime.GOOS, errors.ErrUnsupported)
	default:
		v.ask = s.conn == nil && s.kind == unknown
		v.err = s.control(v)
	}
	if v.err == nil {
		return nil
	}
	return &OptionError{v.op, v.at.label, v.err}
}

// control is the one way to the descriptor.
func (s Socket) control(v *visit) error {
	if s.conn == nil {
		w := *v // Only this copy escapes.
		err := s.raw.Control(func(fd uintptr) { w.run(fd) })
		*v = w
		return cmp.Or(err, w.err)
	}
	rc, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	err = rc.Control(func(fd uintptr) { v.run(fd) })
	return cmp.Or(err, v.err)
}

// A visit reads or writes rows of one socket in order, up to the first refusal.
type visit struct {
	op    string // "get" or "set"
	rows  [5]*option
	n     [5]int64 // the rows' values
	len   int
	ask   bool    // first ask whether the socket is TCP
	blank bool    // get: what this socket lacks reads as 0
	at    *option // the row in hand, which err is about
	err   error

	progress Progress
}

// add adds a row, unless err or an earlier one refused it.
func (v *visit) add(o *option, n int64, err error) {
	if v.err != nil {
		return
	}
	if v.at == nil || err != nil {
		v.at = o
	}
	v.rows[v.len], v.n[v.len], v.err = o, n, err
	v.len++
}

func (v *visit) addDuration(o *option, d time.Duration) {
	n, err := o.kernel(d)
	v.add(o, n, err)
}

// addSwitch adds SO_KEEPALIVE.
func (v *visit) addSwitch(on bool) {
	var n int64
	if on {
		n = 1
	}
	v.add(&keepAlive, n, keepAlive.check(n))
}

// addPair adds the row that takes idle and interval in one number.
func (v *visit) addPair(idle, interval time.Duration) {
	i, err := keepPair.kernel(idle)
	n, nerr := keepPair.kernel(interval)
	v.add(&keepPair, i<<32|n, cmp.Or(err, nerr))
}

// inherited reports whether accepted connections get every row from a listener.
func (v *visit) inherited() bool {
	for _, o := range v.rows[:v.len] {
		if !o.inherits {
			v.at = o
			return false
		}
	}
	return true
}

func (v *visit) run(fd uintptr) {
	if v.ask {
		if v.err = askTCP(fd); v.err != nil {
			return
		}
	}
	for i, o := range v.rows[:v.len] {
		v.at = o
		if o == &tcpInfo {
			v.progress, v.err = readProgress(fd)
		} else if v.op == "set" {
			v.err = o.write(fd, v.n[i])
		} else {
			v.n[i], v.err = o.read(fd, v.blank)
		}
		if v.err != nil {
			return
		}
	}
}

// askTCP returns nil if fd is a TCP socket, by an option that nothing else has.
func askTCP(fd uintptr) error {
	_, err := getsockopt(fd, onlyTCP)
	if lacksOption(err) || slices.Contains(notTCP, err) {
		return fmt.Errorf("not a TCP socket: %w", errors.ErrUnsupported)
	}
	return os.NewSyscallError("getsockopt", err)
}
