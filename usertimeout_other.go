//go:build aix || dragonfly || netbsd || openbsd || windows || (!unix && !windows)

package tcpopt

import "time"

var userTimeout = option{label: "TCP_USER_TIMEOUT", unit: time.Millisecond}
