package tcpopt

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// illumos takes 0 for "never", which is not the system's own limit.
var userTimeout = option{label: "TCP_ABORT_THRESHOLD", level: unix.IPPROTO_TCP, name: unix.TCP_ABORT_THRESHOLD, unit: time.Millisecond, least: 1, most: math.MaxInt32}
