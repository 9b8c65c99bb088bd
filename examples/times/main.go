// Times sets keepalive to 30 s + 4 × 5 s, reads back what the kernel has, and computes
// from that when a dead peer is noticed: after 50 s. Next to it are a connection with
// package net's defaults, and one with SetKeepAlivePeriod(30s), which sounds like 30 s.
//
//	go run ./times                                  # over loopback, where nobody dies
//	go run ./times -serve :7000                     # on one host
//	go run ./times -idle 3s -connect 192.0.2.1:7000 # on another, whose cable you cut
//
// Look at the last column, and, with -connect, at when each connection is lost after
// you cut the cable.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"sync"
	"time"

	"github.com/tcpopt/tcpopt"
)

func main() {
	log.SetFlags(0)
	want := tcpopt.Config{KeepAlive: tcpopt.On}
	flag.DurationVar(&want.Idle, "idle", 30*time.Second, "silence before the first probe")
	flag.DurationVar(&want.Interval, "interval", 5*time.Second, "time between two probes")
	flag.IntVar(&want.Count, "count", 4, "unanswered probes until the peer is given up")
	serve := flag.String("serve", "", "accept connections at this `address`, and send nothing")
	connect := flag.String("connect", "", "connect to this `address`, and wait until the connections are lost")
	flag.Parse()

	l, err := net.Listen("tcp", cmp.Or(*serve, "localhost:0"))
	if err != nil {
		log.Fatal(err)
	}
	if *serve != "" {
		fmt.Println("listening at", l.Addr())
		hold(l)
	}
	go hold(l)

	fmt.Printf("%-30s %8s %8s %5s   %s\n", "", "idle", "interval", "count", "a dead peer is noticed within")
	var lost sync.WaitGroup
	for _, way := range []struct {
		name string
		set  func(*net.TCPConn) error
	}{
		{"package net", func(*net.TCPConn) error { return nil }},
		{fmt.Sprintf("SetKeepAlivePeriod(%v)", want.Idle), func(c *net.TCPConn) error { return c.SetKeepAlivePeriod(want.Idle) }},
		{"tcpopt", func(c *net.TCPConn) error {
			s, err := tcpopt.FromConn(c)
			if err != nil {
				return err
			}
			return s.SetConfig(want)
		}},
	} {
		c, err := net.Dial("tcp", cmp.Or(*connect, l.Addr().String()))
		if err != nil {
			log.Fatal(err)
		}
		if err := way.set(c.(*net.TCPConn)); err != nil {
			log.Fatal(way.name, ": ", err)
		}
		s, err := tcpopt.FromConn(c)
		if err != nil {
			log.Fatal(err)
		}
		got, err := s.Config()
		if err != nil {
			log.Fatal(err)
		}
		idle, _ := got.DetectionTime()
		fmt.Printf("%-30s %8v %8v %5d   %v\n", way.name, got.Idle, got.Interval, got.Count, idle)
		lost.Go(func() {
			start := time.Now()
			_, err := c.Read(make([]byte, 1))
			fmt.Printf("%s: lost after %.1f s: %v (dead peer: %v)\n", way.name, time.Since(start).Seconds(), err, tcpopt.IsDeadPeer(err))
		})
	}
	if *connect != "" {
		fmt.Println("cut the cable now")
		lost.Wait()
	}
}

// hold accepts connections and sends nothing.
func hold(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go io.Copy(io.Discard, c)
	}
}
