package main

import (
	"context"

	"github.com/redis/go-redis/v9"
)

func redisClient(address string, dial dialer) (call func() error, end func(), err error) {
	c := redis.NewClient(&redis.Options{
		Addr: address, Dialer: dial,
		MaxRetries:  -1, // Else the error is of the last dial.
		ReadTimeout: -1, // 5 s, else.
	})
	return func() error { return c.Ping(context.Background()).Err() }, func() { c.Close() }, nil
}
