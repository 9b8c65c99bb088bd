package main

import (
	"net"
	"time"
)

// Package net has no user timeout: on Linux, data in flight is left to the
// system's own limit.
var keepAlive = net.KeepAliveConfig{
	Enable:   true,
	Idle:     15 * time.Second,
	Interval: 5 * time.Second,
	Count:    3,
}

var (
	dialer       = net.Dialer{KeepAliveConfig: keepAlive}
	listenConfig = net.ListenConfig{KeepAliveConfig: keepAlive}
)
