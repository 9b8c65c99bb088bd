package interop

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// These are pings of HTTP/2, which the peer's gRPC answers: one after 28 s
// without data, and the connection ends 14 s later. On Linux gRPC in Go makes
// the timeout its TCP user timeout too. TCP keepalive stays as it was: with the
// system's times in a client, with those of its listener in a server. In other
// languages: GRPC_ARG_KEEPALIVE_TIME_MS = 28000 and
// GRPC_ARG_KEEPALIVE_TIMEOUT_MS = 14000.
var dialOption = grpc.WithKeepaliveParams(keepalive.ClientParameters{
	Time:                28 * time.Second, // 10 s at least.
	Timeout:             14 * time.Second,
	PermitWithoutStream: true,
})

// A server that does not allow it ends a connection with too many pings, by
// default with more than one in five minutes.
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
