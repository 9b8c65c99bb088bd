package tcpopt

import (
	"math"
	"time"
)

// tcp(4) says seconds, but the kernel arms its timer with the number as it is,
// in slow timeouts of 1/PR_SLOWHZ s (sys/netinet/tcp_usrreq.c 1.218 of 2018,
// tcp_timer.h 1.30.34.1 of 2026; run: NetBSD 7.99.34, where 20, 10 and 3 end a
// connection after 24.8 s). It checks no upper bound; beyond ours its ticks could
// wrap with a hz of 1000. It adds idle and count × interval in 32 bits of slow
// timeouts: a count of 2147483647 ended a connection after 1.8 s (run).
const (
	timeUnit  = time.Second / 2
	mostTime  = math.MaxInt32 / 500
	mostCount = mostTime
	mostSum   = math.MaxInt32 * timeUnit
	inherits  = false // SO_KEEPALIVE alone is inherited, and a time ends the listener (run).
)

var (
	userTimeout = option{label: "TCP_USER_TIMEOUT", unit: time.Millisecond}
	tcpInfo     = option{label: "TCP_INFO"}
)

var onlyTCP = &noDelay

var systemRows = []systemRow{
	{name: "net.inet.tcp.keepidle", tick: time.Second / 2, rate: "net.inet.tcp.slowhz", of: &keepIdle},
	{name: "net.inet.tcp.keepintvl", tick: time.Second / 2, rate: "net.inet.tcp.slowhz", of: &keepInterval},
	{name: "net.inet.tcp.keepcnt", of: &keepCount},
}
