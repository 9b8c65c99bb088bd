package tcpopt

import (
	"time"

	"golang.org/x/sys/unix"
)

// The ranges are MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL and MAX_TCP_KEEPCNT of the
// kernel's include/net/tcp.h. On a multipath TCP socket the kernel checks none
// of them (seen on 6.18).
var (
	keepIdle     = option{label: "TCP_KEEPIDLE", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPIDLE, unit: time.Second, least: 1, most: 32767, inherits: true}
	keepInterval = option{label: "TCP_KEEPINTVL", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPINTVL, unit: time.Second, least: 1, most: 32767, inherits: true}
	keepCount    = option{label: "TCP_KEEPCNT", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPCNT, least: 1, most: 127, inherits: true}
)

var onlyTCP = &noDelay
