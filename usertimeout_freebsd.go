package tcpopt

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// TCP_MAXUNACKTIME of sys/netinet/tcp.h, since FreeBSD 14; x/sys has it for one
// architecture only.
var userTimeout = option{label: "TCP_MAXUNACKTIME", level: unix.IPPROTO_TCP, name: 0x44, unit: time.Second, most: math.MaxUint32 / 1000, inherits: true,
	note: "since FreeBSD 14"}
