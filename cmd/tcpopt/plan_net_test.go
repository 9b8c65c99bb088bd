package main

import (
	"net"
	"time"
)

// Package net has no user timeout: on Linux, the system's own limit applies to
// data in flight.
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
