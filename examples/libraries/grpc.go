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

// grpcServer sets c on each connection that it accepts, and has the last word. By
// default, a grpc-go server sets its own user timeout of 20 s after Accept, which also
// changes when keepalive gives up. It sets none if Time, the interval of its pings (two
// hours by default), is infinite. A client sets one if it has grpc.WithKeepaliveParams.
func grpcServer(l net.Listener, c tcpopt.Config, failed func(net.Conn, error), options ...grpc.ServerOption) (*grpc.Server, net.Listener) {
	s := grpc.NewServer(append(options, grpc.KeepaliveParams(keepalive.ServerParameters{Time: math.MaxInt64}))...)
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	return s, tcpopt.NewListener(l, c, failed)
}
