package tcpopt

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel refuses times above UINT_MAX/hz, with a hz of 1000 by default, and
// does not check the count (sys/netinet/tcp_usrreq.c). It adds idle and
// count × interval in 32 bits of ticks: 2 s, 1 s and 4294968 ended a connection
// after 3 s (its TCP was run: FreeBSD 13.0). It takes 0 for "back to the system's
// default"; this package does not, see SetKeepAliveIdle.
const (
	timeUnit  = time.Second
	mostTime  = math.MaxUint32 / 1000
	mostCount = mostTime
	mostSum   = mostTime * time.Second
	inherits  = true // Run: FreeBSD 13.0.
)

var (
	// TCP_MAXUNACKTIME of sys/netinet/tcp.h, since FreeBSD 14; x/sys has it for one
	// architecture only. The kernel takes twice as much, but TSTMP_GT has a sign,
	// and it would be over at the first retransmission.
	userTimeout = option{label: "TCP_MAXUNACKTIME", level: unix.IPPROTO_TCP, name: 0x44, unit: time.Second, most: math.MaxInt32 / 1000, inherits: true,
		note: "since FreeBSD 14"}

	tcpInfo = option{label: "TCP_INFO", level: unix.IPPROTO_TCP, name: unix.TCP_INFO, progress: readProgress}
)

var onlyTCP = &noDelay

var systemRows = []systemRow{
	{name: "net.inet.tcp.keepidle", tick: time.Millisecond, of: &keepIdle},
	{name: "net.inet.tcp.keepintvl", tick: time.Millisecond, of: &keepInterval},
	{name: "net.inet.tcp.keepcnt", of: &keepCount},
	{name: "net.inet.tcp.maxunacktime", tick: time.Millisecond},
	{name: "net.inet.tcp.always_keepalive"},
}
