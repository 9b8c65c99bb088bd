package tcpopt

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// The ranges are those of usr/src/uts/common/inet/tcp: 10 days at most for idle
// (older gates want 10 s at least), tcp_rto_max for the interval. The kernel
// multiplies count and interval in 32 bits; our greatest count cannot wrap. An
// accepted connection inherits all of it (conn_inherit_parent, tcp_init_values).
var (
	keepIdle     = option{label: "TCP_KEEPIDLE", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPIDLE, unit: time.Second, least: 1, most: 864000, inherits: true, endsBusy: true}
	keepInterval = option{label: "TCP_KEEPINTVL", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPINTVL, unit: time.Second, least: 1, most: 60, inherits: true}
	keepCount    = option{label: "TCP_KEEPCNT", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPCNT, least: 1, most: math.MaxUint32 / 60000, inherits: true}

	// The kernel takes 0 for "never", which is not the system's own limit.
	userTimeout = option{label: "TCP_ABORT_THRESHOLD", level: unix.IPPROTO_TCP, name: unix.TCP_ABORT_THRESHOLD, unit: time.Millisecond, least: 1, most: math.MaxInt32, inherits: true}

	tcpInfo = option{label: "TCP_INFO"}
)

var onlyTCP = &noDelay

var systemRows []systemRow
