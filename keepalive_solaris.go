//go:build solaris && !illumos

package tcpopt

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// Oracle Solaris 11.4, tcp(4P). The numbers are its own: those of x/sys are of
// illumos. No limit is known for the count.
var (
	keepIdle     = option{label: "TCP_KEEPIDLE", level: unix.IPPROTO_TCP, name: 0x1d, unit: time.Second, least: 10, most: 864000}
	keepInterval = option{label: "TCP_KEEPINTVL", level: unix.IPPROTO_TCP, name: 0x1e, unit: time.Second, least: 10, most: 864000}
	keepCount    = option{label: "TCP_KEEPCNT", level: unix.IPPROTO_TCP, name: 0x1f, least: 1, most: math.MaxInt32}

	// As on illumos, where 0 is "never".
	userTimeout = option{label: "TCP_ABORT_THRESHOLD", level: unix.IPPROTO_TCP, name: unix.TCP_ABORT_THRESHOLD, unit: time.Millisecond, least: 1, most: math.MaxInt32}

	tcpInfo = option{label: "TCP_INFO"}
)

var onlyTCP = &noDelay

var systemRows []systemRow
