package tcpopt

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// Seconds, as package net and libuv have it; no limits are known.
var (
	keepIdle     = option{label: "TCP_KEEPIDLE", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPIDLE, unit: time.Second, least: 1, most: math.MaxInt32}
	keepInterval = option{label: "TCP_KEEPINTVL", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPINTVL, unit: time.Second, least: 1, most: math.MaxInt32}
	keepCount    = option{label: "TCP_KEEPCNT", level: unix.IPPROTO_TCP, name: unix.TCP_KEEPCNT, least: 1, most: math.MaxInt32}
	userTimeout  = option{label: "TCP_USER_TIMEOUT", unit: time.Millisecond}
	tcpInfo      = option{label: "TCP_INFO"}
)

var onlyTCP = &noDelay

var systemRows []systemRow
