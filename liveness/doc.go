// Package liveness decides, at one end of a connection, whether the other end is still
// there. It never reads, writes, wraps or closes the connection, and sets no deadline.
// It reports its verdict by a call of a function. Nothing is on by default: without a
// [Monitor] there are no timers and no traffic.
//
//	m := &liveness.Monitor{
//		Idle:     30 * time.Second, // silent for this long: ask
//		Timeout:  10 * time.Second, // still silent: dead
//		Probe:    writePing,
//		Progress: socket.Progress,  // of a tcpopt.Socket
//		Dead:     func(err error) { log.Print(err); conn.Close() },
//	}
//	m.Start()
//	defer m.Stop()
//	// without Progress: m.Touch() after each Read, or each message
//
// With Progress, Touch is not needed: what the kernel has received is a sign of life.
// Leave Touch out where a library does the reading. A library's Ping is a Probe. Give
// each connection its own Monitor.
//
// # What to use
//
// Four tools answer different questions:
//
//   - A read deadline, set before each message: is the peer late? It costs nothing. It
//     is enough if one goroutine owns the reading and the peer must send something in
//     time. It needs traffic in every idle minute.
//   - Keepalive: is the path of an idle connection alive? The kernels do it between
//     themselves, below TLS and any protocol, and wake no process.
//   - The user timeout: does the path of a busy connection still carry anything?
//     It is about progress, so a slow link lives. Package tcpopt sets keepalive and
//     user timeout, both together with [tcpopt.Within].
//   - A Monitor: does the process at the other end answer, even behind a proxy? No
//     kernel knows. Without a Probe, a Monitor is an idle timeout that only Touch
//     restarts (and bytes received, with Progress).
//
// A heartbeat without a timer for the reply makes detection worse. Its ping is
// data in flight, and while data is in flight the keepalive timer does nothing:
// the kernel retransmits the ping until the system gives up, after a quarter of an hour
// on Linux. Give a heartbeat a Timeout, a user timeout, or both. If the Monitor's
// reason should win, make the user timeout longer than Idle plus Timeout.
//
// # Slow is not dead
//
// A timer alone ends healthy connections. The answer to a ping that waits behind two
// megabytes on a link of 1 Mbit/s comes after 17 seconds. Our own reader may not have
// read an answer yet, or a full receive buffer may keep it out. With Progress, a
// Monitor looks at the kernel's counters, not at each Read but when its timer fires.
// Counters may extend life but never end it: if they are missing, stay at zero or fail,
// a Monitor works as if Progress were nil.
//
// The verdict comes Timeout after the probe. The probe comes 7/8 Idle to Idle after the
// last sign of life. With Progress, the verdict can be later:
//
//   - While the peer acknowledges data from before the probe, and once more when it has
//     acknowledged the probe, Timeout restarts at the next look, which is at most the
//     lesser of Idle and Timeout away. Data written between the look that begins a
//     probe and the probe itself counts if the next look still finds some of it. On
//     Windows, only data in flight is known to be before the probe, so a long queue
//     does not protect there.
//   - While a Probe waits for its answer, as a library's Ping does, nobody knows where
//     the probe ends: whatever is acknowledged meanwhile counts as before it. If others
//     keep writing to a peer that hangs, this lasts until the peer takes no more. Where
//     this matters, let Probe write and not wait.
//   - Bytes received but not read, or read during the look, count from when anything
//     last came from the peer, even an acknowledgment, or from the look. That is at
//     most Idle after they came.
//   - While bytes wait to be read, Timeout (Idle, without a Probe) restarts at each
//     look: as long as our own reader stands still, no peer is found dead. The user
//     timeout still finds a dead path.
//   - If a timer is late by more than half of Timeout (of Idle, without a Probe), this
//     process did not run. The peer gets another Timeout (or Idle), once in a silence,
//     with or without Progress.
//
// # What to set
//
// Timeout should cover several retransmissions of a lost packet: at least a second,
// better ten. Idle should be less than the time after which NAT routers and load
// balancers on the way forget a connection, often minutes; a longer one saves radios
// and batteries. Somebody else's server may limit pings: gRPC's ends a connection that
// pings more than once in five minutes, and others advise against less than ten
// seconds. MQTT, on the other hand, demands that the client sends something; a Monitor
// sends nothing while the peer sends.
//
// Call Touch before anything that may block, such as passing the message on. Any byte
// from the peer is a sign of life; you need not match answers with pings. Do not call
// Touch for what you send, unless you mean "nothing sent or received".
//
// An answer does not prove health: a goroutine that only answers pings proves only its
// own.
//
// On a verdict, close the TCP connection itself, not the TLS above it, whose Close
// writes and may block. Call SetLinger(0) first if the system should not keep
// retransmitting what nobody acknowledges.
//
// # Proxies, TLS and suspend
//
// Counters describe the next hop. A proxy acknowledges and buffers, so only the missing
// answer shows a dead peer behind it, in time. But a slow link behind it looks dead
// once the probe lies in the proxy: Timeout must then cover what the proxy buffers.
// Keepalive and user timeout see no further than the proxy either.
//
// TLS changes nothing: get the Socket with [tcpopt.FromConn] from the
// [crypto/tls.Conn]. Multipath TCP has no counters, so a Monitor works as if Progress
// were nil.
//
// On Linux and macOS the timers stop while the machine is suspended, like all timers of
// Go. A connection that dies meanwhile is found as late as if it had died when the
// machine woke up. A peer that sent something meanwhile retransmits it less and less
// often: after a suspend of D, at most about D later, on Linux at most 120 s later. Its
// answer to a probe waits behind that, so if D is longer than Timeout, the verdict may
// end a healthy connection.
//
// # Reconnecting
//
// Let a session that has worked reset the backoff. Measure how long it worked up to
// Last, not up to the verdict: one that died after a second was silent for Idle and
// Timeout more. See the examples.
package liveness
