package tcpopt

import "time"

// DragonFly 5.8 and later: seconds, and the limits of Linux (MAXKEEPALIVE and
// MAXKEEPCNT of sys/netinet/tcp_usrreq.c). Earlier releases took milliseconds.
const (
	timeUnit  = time.Second
	mostTime  = 32767
	mostCount = 127
	mostSum   = 0 // It fits 32 bits.
	inherits  = true
)

var (
	userTimeout = option{label: "TCP_USER_TIMEOUT", unit: time.Millisecond}
	tcpInfo     = option{label: "TCP_INFO"}
)

// LOCAL_PEERCRED has the number of TCP_NODELAY, and a Unix socket of DragonFly
// does not look at the level.
var onlyTCP = &keepInterval

var systemRows = []systemRow{
	{name: "net.inet.tcp.keepidle", tick: time.Millisecond, of: &keepIdle},
	{name: "net.inet.tcp.keepintvl", tick: time.Millisecond, of: &keepInterval},
	{name: "net.inet.tcp.keepcnt", of: &keepCount},
	{name: "net.inet.tcp.always_keepalive"},
}
