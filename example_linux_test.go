package tcpopt_test

import (
	"fmt"
	"log"
	"net"
	"time"

	"github.com/tcpopt/tcpopt"
)

// A dialer whose connections notice within 30 s that their peer is gone. The user
// timeout also bounds connect.
func ExampleWithin() {
	c, err := tcpopt.Within(30 * time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", c)

	d := net.Dialer{KeepAlive: -1, Control: c.DialControl}
	conn, err := d.Dial("tcp", exampleServer())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	_, err = tcpopt.Within(2 * time.Second)
	fmt.Println(err)
	// Output:
	// {KeepAlive:On Idle:15s Interval:5s Count:3 UserTimeout:30s}
	// tcpopt: within 2s: the least is 3s, the most is 36h24m28s
}

// What package net sets by itself, with and without a user timeout.
func ExampleConfig_DetectionTime() {
	c := tcpopt.ConfigFromNet(net.KeepAliveConfig{Enable: true})
	idle, busy := c.DetectionTime()
	fmt.Println(idle, busy == tcpopt.Unbounded)

	c.UserTimeout = time.Minute // It takes the place of the count.
	fmt.Println(c.DetectionTime())
	// Output:
	// 2m30s true
	// 1m0s 1m0s
}

// Does a load balancer that forgets after 350 s forget this connection? An interval
// above the idle time counts in its place.
func ExampleConfig_MaxSilence() {
	for _, c := range []tcpopt.Config{
		{},
		{KeepAlive: tcpopt.On, Idle: 5 * time.Minute, Interval: 10 * time.Second, Count: 3},
		{KeepAlive: tcpopt.On, Idle: time.Minute, Interval: 10 * time.Minute, Count: 3},
	} {
		fmt.Println(c.MaxSilence() < 350*time.Second)
	}
	// Output:
	// false
	// true
	// false
}

// What a new socket gets, and where that comes from.
func ExampleDefaults() {
	c, err := tcpopt.Defaults()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.KeepAlive, c.Idle > 0)
	settings, err := tcpopt.SystemSettings()
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range settings {
		fmt.Println(s.Name, time.Duration(s.Value)*s.Unit == c.Idle)
		break
	}
	// Output:
	// Off true
	// net.ipv4.tcp_keepalive_time true
}

// As much of a Config as this socket has.
func ExampleSocket_SetSupported() {
	conn, err := net.Dial("tcp", exampleServer())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	s, err := tcpopt.FromConn(conn)
	if err != nil {
		log.Fatal(err)
	}
	want := tcpopt.Config{KeepAlive: tcpopt.On, Idle: 30 * time.Second, UserTimeout: time.Minute}
	set, err := s.SetSupported(want)
	fmt.Println(set == want, err)

	_, err = s.SetSupported(tcpopt.Config{Idle: 24 * time.Hour})
	fmt.Println(err)
	// Output:
	// true <nil>
	// tcpopt: set TCP_KEEPIDLE: 24h0m0s: out of range (1s to 9h6m7s)
}

// Is anything moving? Two looks at a connection say so.
func ExampleSocket_Progress() {
	conn, err := net.Dial("tcp", exampleServer())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	s, err := tcpopt.FromConn(conn)
	if err != nil {
		log.Fatal(err)
	}
	before, err := s.Progress()
	if err != nil {
		log.Fatal(err)
	}
	if _, err := conn.Write([]byte("ping\n")); err != nil {
		log.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		now, err := s.Progress()
		if err != nil {
			log.Fatal(err)
		}
		if n := now.Acked - before.Acked; n > 0 {
			fmt.Println(n, "bytes acknowledged,", now.Pending, "pending")
			return
		}
	}
}
