package tcpopt

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// The ranges are MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL and MAX_TCP_KEEPCNT of the
// kernel's include/net/tcp.h. On a multipath TCP socket the kernel checks none
// of them (seen on 6.18). tcp_keepalive_timer in net/ipv4/tcp_timer.c sets itself
// to the interval after a probe, which an answer does not change.
var (
	keepIdle     = option{label: "TCP_KEEPIDLE", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPIDLE, unit: time.Second, least: 1, most: 32767, inherits: true, rearmsWithInterval: true}
	keepInterval = option{label: "TCP_KEEPINTVL", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPINTVL, unit: time.Second, least: 1, most: 32767, inherits: true}
	keepCount    = option{label: "TCP_KEEPCNT", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPCNT, least: 1, most: 127, inherits: true}

	userTimeout = option{label: "TCP_USER_TIMEOUT", level: unix.IPPROTO_TCP, name: unix.TCP_USER_TIMEOUT, unit: time.Millisecond, most: math.MaxInt32, inherits: true, outranksCount: true,
		note: "a multipath TCP socket has none; SetMultipathTCP(false) of net.Dialer or net.ListenConfig gives plain TCP"}

	tcpInfo = option{label: "TCP_INFO", level: unix.IPPROTO_TCP, name: unix.TCP_INFO, progress: readProgress}
)

var onlyTCP = &noDelay

var systemRows = []systemRow{
	{name: "net.ipv4.tcp_keepalive_time", tick: time.Second, of: &keepIdle},
	{name: "net.ipv4.tcp_keepalive_intvl", tick: time.Second, of: &keepInterval},
	{name: "net.ipv4.tcp_keepalive_probes", of: &keepCount},
}
