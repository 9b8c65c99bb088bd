package tcpopt

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel multiplies by 1000 in an int; our greatest value cannot wrap.
var userTimeout = option{label: "TCP_RXT_CONNDROPTIME", level: unix.IPPROTO_TCP, name: unix.TCP_RXT_CONNDROPTIME, unit: time.Second, most: math.MaxInt32 / 1000}
