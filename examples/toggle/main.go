// Toggle uses the plain switch, SO_KEEPALIVE, and nothing else: it reads the switch,
// turns it on, reads it, turns it off and reads it. The system decides when to probe,
// on Linux by settings below /proc/sys/net/ipv4.
//
//	go run ./toggle                                # over loopback
//	go run ./toggle -serve :7000                   # on one host
//	go run ./toggle -on -connect 192.0.2.1:7000    # on another, whose cable you cut
//
// It runs on every system. Look at the error on a system without such a switch:
//
//	GOOS=js GOARCH=wasm go build -o toggle.wasm ./toggle
//	node $(go env GOROOT)/lib/wasm/wasm_exec_node.js toggle.wasm
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"github.com/tcpopt/tcpopt"
)

func main() {
	log.SetFlags(0)
	serve := flag.String("serve", "", "accept connections at this `address`, and send nothing")
	connect := flag.String("connect", "", "connect to this `address`, and wait until the connection is lost")
	on := flag.Bool("on", false, "leave it on at the end")
	flag.Parse()
	l, err := net.Listen("tcp", cmp.Or(*serve, "127.0.0.1:0"))
	if err != nil {
		log.Fatal(err)
	}
	if *serve != "" {
		fmt.Println("listening at", l.Addr())
		hold(l)
	}
	go hold(l)

	d := net.Dialer{KeepAlive: -1} // Otherwise package net switches it on.
	c, err := d.Dial("tcp", cmp.Or(*connect, l.Addr().String()))
	if err != nil {
		log.Fatal(err)
	}
	if err := toggle(c, *on); err != nil {
		log.Fatalf("%v (errors.ErrUnsupported: %v)", err, errors.Is(err, errors.ErrUnsupported))
	}
	if *connect != "" {
		fmt.Println("cut the cable now")
		start := time.Now()
		_, err := c.Read(make([]byte, 1))
		fmt.Printf("lost after %.1f s: %v (dead peer: %v)\n", time.Since(start).Seconds(), err, tcpopt.IsDeadPeer(err))
	}
}

func toggle(c net.Conn, last bool) error {
	s, err := tcpopt.FromConn(c)
	if err != nil {
		return err
	}
	is, err := s.KeepAlive()
	if err != nil {
		return err
	}
	fmt.Println("keepalive is", is)
	for _, on := range []bool{true, false, last} {
		if err := s.SetKeepAlive(on); err != nil {
			return err
		}
		is, err := s.KeepAlive()
		if err != nil {
			return err
		}
		fmt.Println("switched to", on, "it is", is)
	}
	return nil
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
