// Package liveness decides, at one end of a connection, whether the other end is
// still there. It never reads, writes, wraps or closes the connection and sets no
// deadline; the verdict is a call of a function. Nothing is on by default: no
// [Monitor], no timers and no traffic.
//
//	m := &liveness.Monitor{
//		Idle:     30 * time.Second, // silent for so long: ask
//		Timeout:  10 * time.Second, // still silent: dead
//		Probe:    writePing,
//		Progress: socket.Progress,  // of a tcpopt.Socket
//		Dead:     func(err error) { log.Print(err); conn.Close() },
//	}
//	m.Start()
//	defer m.Stop()
//	// and m.Touch() after each Read, or each message
//
// With Progress there is no need for Touch, and where a library does the reading
// leave it out: what the kernel has received is a sign of life. A library's Ping is
// a Probe. Let each connection have a Monitor of its own.
//
// # What to use
//
// Four tools answer different questions:
//
//   - A read deadline, set before each message: is the peer late? It costs
//     nothing and is enough where one goroutine owns the reading and the peer is
//     bound to say something in time. Every idle minute needs traffic for it.
//   - Keepalive: is the path of an idle connection alive? The kernels do it
//     between themselves, below TLS and any protocol, and no process is woken.
//   - The user timeout: does the path of a busy connection still carry anything?
//     It is about progress, so that a slow link lives. Keepalive and user timeout
//     are set with package tcpopt, together by [tcpopt.Within].
//   - A Monitor: is the process at the other end answering, behind a proxy too?
//     No kernel knows. Without a Probe it is an idle timeout, to which nothing
//     but Touch (and bytes received, with Progress) matters.
//
// A heartbeat without a timer for the reply makes detection worse. Its ping is
// data in flight, and while data is in flight the keepalive timer does nothing:
// the ping is sent again and again until the system gives up, after a quarter of
// an hour on Linux. With a heartbeat have a Timeout, a user timeout, or both. If
// the Monitor's reason is to win, let the user timeout be longer than Idle plus
// Timeout.
//
// # Slow is not dead
//
// A timer alone ends healthy connections. A ping that waits behind two megabytes
// on a link of 1 Mbit/s is answered after 17 seconds; an answer that our own
// reader has not come to read is no answer, and one that a full receive buffer
// keeps out cannot come. With Progress a Monitor looks at the kernel's counters,
// not at each Read but when its timer fires. Counters may extend life and never
// end it: where they are missing, stay at zero or fail, it is as if Progress was
// nil.
//
// The verdict comes Timeout after the probe, which comes 7/8 Idle to Idle after
// the last sign of life. With Progress it can be later:
//
//   - While the peer acknowledges what was sent before the probe, and once more
//     when it has acknowledged the probe, Timeout begins anew at the next look,
//     which is at most the lesser of Idle and Timeout away. What is written after
//     the look that begins a probe, and before the probe, counts if the next look
//     still finds some of it. On Windows only what is in flight is known to be
//     before the probe, so that a long queue does not protect there.
//   - While a Probe waits for its answer, as a library's Ping does, nobody knows
//     where the probe ends: whatever is acknowledged meanwhile counts as before it.
//     If others write on and on to a peer that hangs, that is until it takes no
//     more. Where this matters, let Probe write and not wait.
//   - Bytes that were received and not read, or read during the look, count from
//     when anything last came from the peer, an acknowledgment too, or from the
//     look. That is at most Idle later than they came.
//   - While bytes wait to be read, Timeout (Idle, without a Probe) begins anew at
//     each look: as long as our own reader stands still, no peer is found dead.
//     The user timeout finds a dead path all the same.
//   - A timer that is late by more than half of Timeout (of Idle, without a Probe)
//     means that this process did not run. The peer gets one more, once in a
//     silence, with or without Progress.
//
// # What to set
//
// Timeout: several retransmissions of a lost packet, so a second at the very
// least and better ten. Idle: less than the time after which NAT routers and
// load balancers on the way forget a connection, often minutes; a longer one
// saves radios and batteries. A server of somebody else limits how often it may
// be asked: gRPC's ends a connection that pings more than once in five minutes,
// and others advise against less than ten seconds. MQTT, on the other hand,
// demands that something is sent, which no Monitor does while the peer sends.
//
// Touch comes before anything that may block, such as handing the message on.
// Any byte from the peer is a sign of life; there is no need to match answers
// with pings. Do not Touch for what was sent, except where "nothing sent or
// received" is meant.
//
// An answer does not prove health: a goroutine that only answers pings proves only
// itself.
//
// On a verdict, close the TCP connection itself and not the TLS above it, whose
// Close writes and may block, and call SetLinger(0) first where the system is
// not to go on retransmitting what nobody acknowledges.
//
// # Proxies, TLS and suspend
//
// Counters are about the next hop. A proxy acknowledges and buffers, so that a
// dead end behind it is found by the missing answer alone, in time; but a slow link
// behind it looks dead once the probe lies in the proxy. Timeout must then cover
// what the proxy buffers. Keepalive and user timeout see no further than the proxy
// either.
//
// TLS changes nothing: get the Socket with [tcpopt.FromConn] from the
// [crypto/tls.Conn]. On multipath TCP there are no counters, and it is as if
// Progress was nil.
//
// On Linux and macOS the timers stand still while the machine is suspended, as
// all timers of Go do. A connection that died meanwhile is found as late as if
// it had died when the machine woke up. A peer that sent something meanwhile
// sends it again ever more seldom: after a suspend of D at the latest about D
// later, on Linux at the latest 120 s later. Its answer to a probe waits behind
// that, so where D is longer than Timeout, a healthy connection may be ended.
//
// # Reconnecting
//
// Let a session that has worked reset the backoff, and measure how long it worked
// up to Last, not up to the verdict: one that died after a second was silent for
// Idle and Timeout more. See the examples.
package liveness
