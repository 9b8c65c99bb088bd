//go:build dragonfly || freebsd || netbsd

package tcpopt

import "golang.org/x/sys/unix"

var (
	keepIdle     = option{label: "TCP_KEEPIDLE", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPIDLE, unit: timeUnit, least: 1, most: mostTime, mostSum: mostSum, inherits: inherits, endsBusy: true}
	keepInterval = option{label: "TCP_KEEPINTVL", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPINTVL, unit: timeUnit, least: 1, most: mostTime, inherits: inherits}
	keepCount    = option{label: "TCP_KEEPCNT", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPCNT, least: 1, most: mostCount, inherits: inherits}
)
