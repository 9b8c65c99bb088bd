package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// kafkaClient gets the verdict from a hook, since the client may try again by itself
// and return the error of a dial.
func kafkaClient(address string, dial dialer) (call func() error, end func(), err error) {
	lost := make(lostHook, 1)
	c, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.Dialer(dial), kgo.WithHooks(lost))
	if err != nil {
		return nil, nil, err
	}
	// The first ping goes to a seed, over a connection that is not reused.
	if err := c.Ping(context.Background()); err != nil {
		c.Close()
		return nil, nil, err
	}
	call = func() error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		answered := make(chan error, 1)
		go func() { answered <- c.Ping(ctx) }()
		select {
		case err := <-lost:
			return err
		case err := <-answered:
			return err
		}
	}
	return call, c.Close, nil
}

// A lostHook is a kgo.HookBrokerRead.
type lostHook chan error

func (h lostHook) OnBrokerRead(_ kgo.BrokerMetadata, _ int16, _ int, _, _ time.Duration, err error) {
	if err != nil {
		select {
		case h <- err:
		default:
		}
	}
}
