package interop

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// These are HTTP/2 pings, which the gRPC of the peer answers. gRPC sends one
// after 28 s without data, and ends the connection if no answer comes in
// 14 s. On Linux, gRPC in Go also sets that timeout as TCP user timeout. It
// leaves TCP keepalive alone: a client has the system's times, and a server
// those of its listener. Other languages have GRPC_ARG_KEEPALIVE_TIME_MS =
// 28000 and GRPC_ARG_KEEPALIVE_TIMEOUT_MS = 14000.
var dialOption = grpc.WithKeepaliveParams(keepalive.ClientParameters{
	Time:                28 * time.Second, // 10 s at least.
	Timeout:             14 * time.Second,
	PermitWithoutStream: true,
})

// A server must allow such pings. By default it ends a connection that pings
// more than once in five minutes.
var serverOptions = []grpc.ServerOption{
	grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
		MinTime:             14 * time.Second,
		PermitWithoutStream: true,
	}),
	grpc.KeepaliveParams(keepalive.ServerParameters{
		Time:    28 * time.Second,
		Timeout: 14 * time.Second,
	}),
}
