package main

import (
	"context"
	"math"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/tcpopt/tcpopt"
)

func grpcClient(address string, dial dialer) (call func() error, end func(), err error) {
	c, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, "tcp", address) }))
	if err != nil {
		return nil, nil, err
	}
	checks := grpc_health_v1.NewHealthClient(c)
	call = func() error {
		_, err := checks.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
		return err
	}
	return call, func() { c.Close() }, nil
}

// grpcServer has c on each connection that it accepts, and the last word: a server
// of grpc-go sets a user timeout of its own after Accept, 20 s unless it is told
// otherwise, which changes when keepalive gives up too. It does not with a Time
// without end, which is of its pings, every two hours else. A client does the same
// if it is given grpc.WithKeepaliveParams.
func grpcServer(l net.Listener, c tcpopt.Config, failed func(net.Conn, error), options ...grpc.ServerOption) (*grpc.Server, net.Listener) {
	s := grpc.NewServer(append(options, grpc.KeepaliveParams(keepalive.ServerParameters{Time: math.MaxInt64}))...)
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	return s, tcpopt.NewListener(l, c, failed)
}
