package main

import (
	"context"
	"net"

	"github.com/nats-io/nats.go"
)

// A natsDialer is what SetCustomDialer takes.
type natsDialer struct{ dial dialer }

func (d natsDialer) Dial(network, address string) (net.Conn, error) {
	return d.dial(context.Background(), network, address)
}

// natsClient gets the error from DisconnectErrHandler: Flush only says that the
// connection was closed. With nats.NoReconnect the handler gets nil.
func natsClient(address string, dial dialer) (call func() error, end func(), err error) {
	lost := make(chan error, 1)
	c, err := nats.Connect("nats://"+address, nats.SetCustomDialer(natsDialer{dial}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { lost <- err }))
	if err != nil {
		return nil, nil, err
	}
	call = func() error {
		if err := c.Flush(); err != nil {
			return <-lost
		}
		return nil
	}
	return call, c.Close, nil
}
