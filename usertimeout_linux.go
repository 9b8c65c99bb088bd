package tcpopt

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

var userTimeout = option{label: "TCP_USER_TIMEOUT", level: unix.IPPROTO_TCP, name: unix.TCP_USER_TIMEOUT, unit: time.Millisecond, most: math.MaxInt32, inherits: true, outranksCount: true,
	note: "a multipath TCP socket has none; net.ListenConfig.SetMultipathTCP(false) gives plain TCP"}
