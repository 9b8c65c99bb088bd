package tcpopt

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// bsd/netinet/tcp_usrreq.c takes times up to UINT32_MAX / 1000, but its timers are
// milliseconds in 32 bits with a sign, and a longer idle time fires at once. It
// takes 0 for "back to the system's default"; this package does not, see
// SetKeepAliveIdle. It adds idle and count × interval in 32 bits without a
// sign. An accepted connection inherits interval and count but not the idle
// time, and before macOS 14 (xnu-10002.1.13) an idle time on a listening socket
// ends the listener.
const mostTime = math.MaxInt32 / 1000

var (
	keepIdle     = option{label: "TCP_KEEPALIVE", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPALIVE, unit: time.Second, least: 1, most: mostTime, mostSum: math.MaxUint32 / 1000 * time.Second, needsOn: true, endsBusy: true}
	keepInterval = option{label: "TCP_KEEPINTVL", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPINTVL, unit: time.Second, least: 1, most: mostTime}
	keepCount    = option{label: "TCP_KEEPCNT", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPCNT, least: 1, most: math.MaxUint32 / 1000}

	// The kernel multiplies by 1000 in an int; our greatest value cannot wrap.
	userTimeout = option{label: "TCP_RXT_CONNDROPTIME", level: unix.IPPROTO_TCP, name: unix.TCP_RXT_CONNDROPTIME, unit: time.Second, most: math.MaxInt32 / 1000}

	tcpInfo = option{label: "TCP_CONNECTION_INFO", level: unix.IPPROTO_TCP, name: unix.TCP_CONNECTION_INFO, progress: readProgress}
)

// LOCAL_PEERCRED has the number of TCP_NODELAY, and a Unix socket of macOS does
// not look at the level.
var onlyTCP = &keepInterval

var systemRows = []systemRow{
	{name: "net.inet.tcp.keepidle", tick: time.Millisecond, of: &keepIdle},
	{name: "net.inet.tcp.keepintvl", tick: time.Millisecond, of: &keepInterval},
	{name: "net.inet.tcp.keepcnt", of: &keepCount},
	{name: "net.inet.tcp.always_keepalive"},
}
