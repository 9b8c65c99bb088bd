package tcpopt

import "time"

// A socket has SO_KEEPALIVE alone. The sysctls are in seconds since OpenBSD 7.3,
// and the count is TCPTV_KEEPCNT of sys/netinet/tcp_timer.h.
var (
	keepIdle     = option{label: "TCP_KEEPIDLE", unit: time.Second, system: "net.inet.tcp.keepidle", endsBusy: true}
	keepInterval = option{label: "TCP_KEEPINTVL", unit: time.Second, system: "net.inet.tcp.keepintvl"}
	keepCount    = option{label: "TCP_KEEPCNT", fixed: 8}
	userTimeout  = option{label: "TCP_USER_TIMEOUT", unit: time.Millisecond}
	tcpInfo      = option{label: "TCP_INFO"}
)

var onlyTCP = &noDelay

var systemRows = []systemRow{
	{name: "net.inet.tcp.keepidle", tick: time.Second, of: &keepIdle},
	{name: "net.inet.tcp.keepintvl", tick: time.Second, of: &keepInterval},
	{name: "net.inet.tcp.always_keepalive"},
}
