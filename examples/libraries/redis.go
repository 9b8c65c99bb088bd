package main

import (
	"context"

	"github.com/redis/go-redis/v9"
)

func redisClient(address string, dial dialer) (call func() error, end func(), err error) {
	c := redis.NewClient(&redis.Options{
		Addr: address, Dialer: dial,
		MaxRetries:  -1, // Otherwise the error is that of the last dial.
		ReadTimeout: -1, // Otherwise 5 s.
	})
	return func() error { return c.Ping(context.Background()).Err() }, func() { c.Close() }, nil
}
