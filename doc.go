// Package tcpopt reads and sets the socket options by which an operating system
// notices that the peer of a TCP connection is gone, and the system's defaults.
//
// A connection whose peer vanished without a FIN or RST, by a power loss, a
// killed machine, a forgotten NAT entry or a cut cable, looks healthy for hours.
// With keepalive on, the system probes a connection that has been silent for the
// idle time, again after each interval, and gives it up when count probes are
// unanswered (RFC 9293, section 3.8.4; tcp(7)). The user timeout is its
// companion for a connection with unacknowledged data, where Linux does not
// probe.
//
//	c, err := tcpopt.Within(30 * time.Second)
//	if err != nil {
//		return err
//	}
//	s, err := tcpopt.FromConn(conn)
//	if err != nil {
//		return err
//	}
//	if err := s.SetConfig(c); err != nil {
//		return err
//	}
//	inEffect, err := s.Config()
//	if err != nil {
//		return err
//	}
//	fmt.Println(inEffect.DetectionTime()) // idle and busy
//
// A [Socket] comes from a connection ([FromConn], also through TLS and other
// wrappers), from a listener ([FromListener]), from a Control function before
// connect or bind ([FromRawConn]), or from a descriptor ([FromFD]). It has a getter
// and a setter for each option, and [Socket.Config], [Socket.SetConfig] and
// [Socket.SetSupported] for all of them at once. [Config.DialControl] sets them from
// the start, and [NewListener] on each accepted connection; where connections
// inherit, [Config.ListenControl] does it at no cost. [ConfigFromNet] takes the
// setting of a program that has a [net.KeepAliveConfig].
// [Defaults] returns what a new socket gets, and [SystemSettings] where that is set.
//
// # When a dead peer is noticed
//
// [Config.DetectionTime] computes it, [Within] asks for it. A pending or later
// Read or Write then fails with an error for which [IsDeadPeer] is true. Tests
// cut real cables to compare both with the kernel, on Linux; package tcpopttest
// makes a peer go silent in your own tests over loopback, where it always
// answers. [Config.MaxSilence] is how long a silent connection needs a NAT
// router or load balancer on the way to remember it.
//
// Keepalive finds that the path or the peer's kernel is gone. It cannot find that
// the peer's program hangs, since the kernel answers for it: that takes a
// heartbeat of the protocol's own. [Socket.Progress] returns the kernel's counters:
// with them a heartbeat does not take a slow peer for a dead one.
//
// # Rules
//
// Nothing is set that was not asked for: a zero field of a [Config] is left alone,
// and this package has no defaults of its own. Nothing is silently ignored: what
// the system, its kernel or the socket lacks is an error that matches
// [errors.ErrUnsupported], and [Socket.SetSupported] is how to ask for best effort:
// it returns what it set. Times are rounded up to the system's unit, so that a time
// which is not zero never becomes zero. A value out of range is refused with
// [syscall.EINVAL] before any system call. Every error of a method of [Socket] is
// an [*OptionError] that names the option; a closed connection is [net.ErrClosed],
// but not to [FromFD]. Getters and setters do not allocate on a descriptor or,
// built with Go 1.26 or later, on a [*net.TCPConn] or through TLS; that was
// measured on Linux and, for Windows, in Wine.
//
// # Set early
//
// Set options from the start: in a Control function, or right after Accept. On a
// connection that has been silent for a while a change can end what is healthy:
//
//   - On Linux probes that are out already count against a new count. With three
//     of them unanswered, a count of 3 ends the connection at the next probe that
//     is due, even if the path works again by then.
//   - On Linux a user timeout also counts from the last segment of the peer. On a
//     connection that has been silent for almost as long, one probe goes out
//     before it has passed, and one lost packet ends the connection.
//   - On Linux an idle time that the silence already exceeds sends a probe at once,
//     and each repetition of the call sends another.
//   - On macOS, FreeBSD, NetBSD and illumos keepalive that is switched on or made
//     shorter counts the silence before the call as well. A connection that has
//     been silent for count × interval is ended after the idle time without a
//     probe, unless something arrives from the peer before. So does OpenBSD when
//     keepalive is switched on late. (Its TCP was run: FreeBSD 13.0 and NetBSD
//     7.99.34. The others by their sources.)
//
// If you must set options late, write to the peer right after the call: its
// acknowledgment starts everything over.
//
// # Who else sets these
//
// Read back what is in effect with [Socket.Config], or with tcpopt ls from outside
// of the program. Known to set some of these options without being asked:
//
//   - Package net, on each connection that it dials or accepts: keepalive on,
//     15 s of idle time, 15 s of interval and a count of 9. It ignores the errors.
//     A negative KeepAlive field of [net.Dialer] or [net.ListenConfig] stops
//     that. Nothing stops it for [net.FileListener], which socket activation
//     uses; there [NewListener] sets options after it. Nor does anything stop it
//     for [net.FileConn], whose socket others may share.
//   - grpc-go: its server sets a user timeout of 20 s on every connection, unless
//     keepalive.ServerParameters has another Timeout; its client sets one with
//     keepalive.ClientParameters. Either replaces the one that was set before.
//   - go-sql-driver/mysql switches keepalive on. So do, by their sources, the
//     listener of golang.org/x/crypto/acme/autocert, fasthttp and cloudsqlconn.
//
// # Systems
//
// What each system takes, and whether an accepted connection is known to inherit
// the options of its listener. A "read only" option has a value that can be read
// on a socket and set for the whole system only.
//
//	OS                |idle             |interval         |count           |user timeout      |inherits
//	linux, android    |1 to 32767 s     |1 to 32767 s     |1 to 127        |0 to 2147483647 ms|yes
//	windows           |1 to 4294967 s   |1 to 4294967 s   |1 to 255        |none              |yes
//	darwin, ios       |1 to 2147483 s   |1 to 2147483 s   |1 to 4294967    |0 to 2147483 s    |no
//	freebsd           |1 to 4294967 s   |1 to 4294967 s   |1 to 4294967    |0 to 2147483 s    |yes
//	dragonfly         |1 to 32767 s     |1 to 32767 s     |1 to 127        |none              |yes
//	netbsd            |1 to 4294967 s/2 |1 to 4294967 s/2 |1 to 4294967    |none              |no
//	openbsd           |read only        |read only        |read only       |none              |no
//	illumos           |1 to 864000 s    |1 to 60 s        |1 to 71582      |1 to 2147483647 ms|yes
//	solaris           |10 to 864000 s   |10 to 864000 s   |1 to 2147483647 |1 to 2147483647 ms|no
//	aix               |1 to 2147483647 s|1 to 2147483647 s|1 to 2147483647 |none              |no
//	plan9, js, wasip1 |none             |none             |none            |none              |no
//
// Linux is where this was measured, on amd64 and 386, and on arm64, s390x and
// mips by way of qemu's user mode. Windows was run under Wine 8.0 and 10.0, which
// answer as versions before 1709 and as Windows 10. The TCP of NetBSD 7.99.34 and
// FreeBSD 13.0 was run, but not this package on them: the kernel's own code in a
// process, beside a Linux peer whose cable was cut. For the rest, these systems
// and the others are compiled only; their rows come from kernel sources and
// manuals.
//
// Linux: a socket takes at most 32767 s; the system-wide setting may be more. On
// a multipath TCP socket, which a listener of package net is by default in a
// program whose go.mod says go 1.24 or later, there is no user timeout; the
// keepalive options of such a socket want Linux 6.10. gVisor, which is Linux to a
// program, does not let connections inherit keepalive.
//
// Windows: idle and interval are documented since Windows 10 version 1709, count
// since 1703; each is tried. Where one is missing, [Socket.SetConfig] sets idle
// and interval together through SIO_KEEPALIVE_VALS, which cannot be read back. The
// range of idle and interval is this package's; none is documented.
//
// macOS and iOS: before macOS 14 an idle time on a listening socket ends the
// listener, so every setter is refused on what is known to listen. Idle +
// count × interval in milliseconds must fit 32 bits; [Socket.SetConfig] refuses
// what does not.
//
// NetBSD: tcp(4) says seconds, the kernel has half-seconds, and those are used
// here (run). An idle time or interval on a listening socket ends the listener, so
// every setter is refused there; accepted connections inherit SO_KEEPALIVE alone.
// A socket that has an idle time and does not connect within it cannot connect any
// more: connect fails with EINVAL (run). The getters of idle, interval and count
// are there since NetBSD 8. The sum is bounded as on macOS, in half-seconds.
//
// FreeBSD: the user timeout, TCP_MAXUNACKTIME, is there since FreeBSD 14. The sum
// is bounded as on macOS. On a connection that the kernel has ended, the getters
// of idle, interval and count, and so [Socket.Config], fail with ECONNRESET (run).
// FreeBSD, DragonFly: the system may probe where keepalive is off, see
// [Socket.KeepAlive].
//
// DragonFly: before 5.8 its options took milliseconds; this package speaks
// seconds. OpenBSD: the sysctls are read as seconds, which they are since 7.3.
// Solaris: 11.4 and later. AIX: units as in package net, limits not known.
//
// illumos: setting interval or count alone makes the kernel derive the other;
// unset they read as zero, since probes are then spaced by exponential backoff.
package tcpopt
