package tcpopt

import (
	"math"
	"time"
)

// The kernel refuses times above UINT_MAX/hz, with a hz of 1000 by default, and
// does not check the count (sys/netinet/tcp_usrreq.c). It takes 0 for "back to
// the system's default"; this package does not, see SetKeepAliveIdle.
const (
	timeUnit  = time.Second
	mostTime  = math.MaxUint32 / 1000
	mostCount = math.MaxInt32
	inherits  = true // By tcp_syncache.c.
)

var onlyTCP = &noDelay

var systemRows = []systemRow{
	{name: "net.inet.tcp.keepidle", tick: time.Millisecond, of: &keepIdle},
	{name: "net.inet.tcp.keepintvl", tick: time.Millisecond, of: &keepInterval},
	{name: "net.inet.tcp.keepcnt", of: &keepCount},
	{name: "net.inet.tcp.maxunacktime", tick: time.Millisecond},
	{name: "net.inet.tcp.always_keepalive"},
}
