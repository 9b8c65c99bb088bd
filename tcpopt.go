package tcpopt

import (
	"errors"
	"net"
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
	fd   uintptr         // of a descriptor
	kind kind
}

// kind is what is known of a Socket that has no conn.
type kind uint8

const (
	unknown    kind = iota // asked at each call whether it is TCP
	descriptor             // fd, asked at each call as well
	stream                 // TCP, asked once
	listener               // TCP, accepting connections
)

// FromConn returns the Socket of c.
//
// c is a [*net.TCPConn], or anything that leads to one. FromConn looks through
// wrappers, one after the other: a method NetConn() net.Conn, as [*crypto/tls.Conn]
// has, and an embedded net.Conn, as in struct{ net.Conn; … } or a pointer to it. In
// between, whatever implements [syscall.Conn] is asked once whether it is a TCP
// socket.
//
// The error matches [errors.ErrUnsupported] if c is something else, such as a
// [*net.UDPConn], a [*net.UnixConn] or one end of [net.Pipe], or if it does not lead
// to its socket; then set the options in a Control function, or call FromConn with
// the connection that c was made from. It matches [syscall.EINVAL] if c, or what it
// leads to, is nil.
//
// A type that embeds the connection of several streams leads to that connection:
// options are set for all of them, and [Socket.Progress] is about all of them. Do
// not call FromConn while c may be exchanging its connection.
//
// FromConn changes nothing on c. It does not notice that a [*net.TCPConn] is closed;
// anything else it asks, and for a closed one the error matches [net.ErrClosed].
func FromConn(c net.Conn) (Socket, error) { return fromConn(c) }

// FromListener returns the Socket of l, whose keepalive package net overwrites on
// each connection that it accepts, unless l comes from a [net.ListenConfig] with a
// negative KeepAlive; [net.Listen] and [net.FileListener] give listeners that
// overwrite. Connections that were queued before a change have nothing of it.
//
// For the rest, options set on a listener are those of every connection it
// accepts, at no cost per connection, on the systems where accepted connections
// are known to inherit: Linux, FreeBSD, DragonFly, illumos and Windows. On the
// others every setter of a listener's Socket fails with an error that matches
// [errors.ErrUnsupported]. On macOS before 14 and on NetBSD keepalive times on a
// listening socket end the listener. [NewListener] sets the options of each
// connection after Accept, on every system.
//
// l is a [*net.TCPListener], another listener that implements [syscall.Conn], or one
// that embeds a net.Listener, as those of [crypto/tls.NewListener] and [NewListener]
// do; the errors are those of [FromConn], and [net.ErrClosed] for a closed listener. On
// Linux, in a program whose go.mod says go 1.24 or later, a listener of package net
// speaks multipath TCP unless [net.ListenConfig.SetMultipathTCP] says no; such a
// listener has no user timeout.
func FromListener(l net.Listener) (Socket, error) { return fromListener(l) }

// FromRawConn returns the Socket of rc, as [net.Dialer.Control] and
// [net.ListenConfig.Control] get it before connect and before bind. Each call
// first asks whether rc is a TCP socket; if it is not, the error matches
// [errors.ErrUnsupported], although many systems would accept SO_KEEPALIVE on
// any socket and do nothing with it. A nil rc gives the zero Socket.
//
// Package net sets its own keepalive after Control, on every connection that
// it dials or accepts, unless the KeepAlive field of the [net.Dialer] or
// [net.ListenConfig] is negative and its KeepAliveConfig is not enabled.
//
// It cannot be seen that rc will listen: on macOS and NetBSD, where keepalive
// times may end a listening socket, use [Config.ListenControl] or [FromListener],
// which refuse.
func FromRawConn(rc syscall.RawConn) Socket { return Socket{raw: rc} }

// FromFD returns the Socket of a descriptor, on Windows of a SOCKET, for code that
// has no connection of package net. fd stays the caller's: it must be open, and not
// be closed and reused, during each call of a method. Each call first asks
// whether it is a TCP socket; if it is not, the error matches
// [errors.ErrUnsupported].
//
// A descriptor that is closed is the system's error, EBADF, and never
// [net.ErrClosed]; on Windows it is not a TCP socket. On Unix a number above
// [math.MaxInt32], which the system would cut, is refused with an error that
// matches [syscall.EINVAL].
//
// It cannot be seen that fd listens: on macOS and NetBSD, where keepalive times may
// end a listening socket, set them on accepted descriptors alone.
//
// The runtime may close the descriptor of an [*os.File] or of a connection of
// package net when nothing else refers to that: use [FromRawConn] or [FromConn].
func FromFD(fd uintptr) Socket { return Socket{fd: fd, kind: descriptor} }

// KeepAlive reports whether the system probes the peer of a silent connection:
// SO_KEEPALIVE, RFC 9293 section 3.8.4. The sysctl net.inet.tcp.always_keepalive
// makes the system probe where it is off as well: on FreeBSD and DragonFly by
// default, on macOS and OpenBSD if an administrator sets it.
//
// On plan9, js and wasip1 a socket has no options, and the error of this and of
// every other getter and setter matches [errors.ErrUnsupported].
func (s Socket) KeepAlive() (bool, error) {
	n, err := s.get(&keepAlive)
	return n != 0, err
}

// SetKeepAlive switches keepalive on or off and changes nothing else. On Linux
// the first probe is due a whole idle time after the switch, however long the
// connection was silent before. On macOS, the BSDs and illumos, a late switch may end
// a healthy connection; see "Set early" in the package documentation. Errors are those
// of [Socket.KeepAlive].
func (s Socket) SetKeepAlive(on bool) error {
	n := int64(0)
	if on {
		n = 1
	}
	return s.set(&keepAlive, n, keepAlive.check(n))
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

// SetKeepAliveIdle sets how long a connection is silent before the first probe,
// and leaves on or off, interval and count as they were. d is rounded up to
// whole seconds, on NetBSD to half seconds; so SetKeepAliveIdle(30), which is
// 30 ns, sets 1 s. Zero, a negative d and one beyond the system's range (see the
// package documentation) are refused before any system call, with an error that
// matches [syscall.EINVAL] and names the range.
//
// Set it early. On a connection that is already silent for longer than d, Linux
// sends a probe at once, and each repetition sends another, so that repeating the
// call on a dead connection ends it early. FreeBSD, NetBSD, macOS and illumos may
// end a connection that has been silent for count × interval; see "Set early" in
// the package documentation.
//
// Once set, an idle time cannot be given back to the system on Linux: only the
// default's present value can be stored. On macOS it counts from the next segment
// received, unless keepalive is on already.
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

// SetKeepAliveInterval sets the time between two probes. d is rounded, and zero,
// negative and out of range are refused, as by [Socket.SetKeepAliveIdle]; the
// error matches [errors.ErrUnsupported] where that of SetKeepAliveIdle does.
// illumos takes at most 60 s. On Linux a probe that is already scheduled keeps
// its time. Set it early, as the idle time.
func (s Socket) SetKeepAliveInterval(d time.Duration) error {
	return s.setDuration(&keepInterval, d)
}

// KeepAliveCount returns how many unanswered probes end the connection:
// TCP_KEEPCNT. Where it was never set it is the system's default;
// illumos answers 0. OpenBSD has 8 and Windows before version 1703 has 10 built
// in, and that is the answer there. On Linux the count has no effect while the
// user timeout is set, see [Socket.SetUserTimeout].
func (s Socket) KeepAliveCount() (int, error) {
	n, err := s.get(&keepCount)
	return int(n), err
}

// SetKeepAliveCount sets how many unanswered probes end the connection. Zero,
// negative and out of range are refused as by [Socket.SetKeepAliveIdle]. With 1, a
// single lost packet ends a healthy connection (RFC 9293, MUST-29). The error
// matches [errors.ErrUnsupported] on OpenBSD, on Windows before version 1703,
// plan9, js and wasip1.
//
// Set it early. On Linux probes that are out already count: with n of them
// unanswered the connection ends at the next that is due, even on a path that
// works again. A write right after the call avoids that, since data in flight is
// not probed for and its acknowledgment counts from zero.
func (s Socket) SetKeepAliveCount(n int) error {
	return s.set(&keepCount, int64(n), keepCount.check(int64(n)))
}

// UserTimeout returns how long sent data may stay unacknowledged before the
// connection is given up; zero is the system's own limit. It is
// TCP_USER_TIMEOUT on Linux (RFC 5482), TCP_RXT_CONNDROPTIME on macOS and iOS,
// TCP_MAXUNACKTIME on FreeBSD 14 and later, and TCP_ABORT_THRESHOLD on illumos
// and Solaris. A socket that was never set answers zero on Linux and macOS, on
// FreeBSD the sysctl net.inet.tcp.maxunacktime, which is zero unless an
// administrator sets it, and on illumos and Solaris the system's limit. On other
// systems, and on a multipath TCP socket of Linux, the error matches
// [errors.ErrUnsupported].
func (s Socket) UserTimeout() (time.Duration, error) {
	return s.getDuration(&userTimeout)
}

// SetUserTimeout sets how long sent data may stay unacknowledged. d is rounded
// up to milliseconds on Linux, illumos and Solaris and to seconds on macOS, iOS
// and FreeBSD. Zero gives the decision back to the system; on illumos it would
// mean "never", so it is refused there and on Solaris. Negative and out of range
// are refused as by [Socket.SetKeepAliveIdle]. Where there is no
// [Socket.UserTimeout], the error matches [errors.ErrUnsupported].
//
// On Linux a user timeout also takes the place of count: a silent connection is
// given up at the first probe that is due after d, and a peer that acknowledges but
// keeps its window shut for d is given up as well (tcp(7)). Set before connect, it
// also bounds connect: a short one ends connect, after at least 1 s, and a long one
// lengthens it by a few SYNs (measured on 6.18: 7 s became 11 s with the sysctl
// tcp_syn_retries at 2). Set it early: the silence before the call counts.
//
// FreeBSD, macOS and illumos look at it only when they retransmit, so that it may
// take up to twice as long; macOS counts from the first retransmission (by their
// sources).
func (s Socket) SetUserTimeout(d time.Duration) error {
	return s.setDuration(&userTimeout, d)
}

// An OptionError names the option that could not be read or set. It matches
// [errors.ErrUnsupported] if the system, its kernel or this socket has no such
// option, [net.ErrClosed] if the connection is closed (not of [FromFD]), and
// [syscall.EINVAL] if the value was refused before the kernel was asked.
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
