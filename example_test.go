//go:build unix || windows

package tcpopt_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"time"

	"github.com/tcpopt/tcpopt"
)

// A connection that notices within 50 s that its idle peer is gone, on a system
// that has these options.
func Example() {
	conn, err := net.Dial("tcp", exampleServer())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	s, err := tcpopt.FromConn(conn)
	if err != nil {
		log.Fatal(err)
	}
	want := tcpopt.Config{
		KeepAlive: tcpopt.On,
		Idle:      30 * time.Second,
		Interval:  10 * time.Second,
		Count:     2,
	}
	set, err := s.SetSupported(want) // SetConfig: all of it, or an error.
	if err != nil {
		log.Fatal(err)
	}
	if set != want {
		log.Printf("of %+v this system has %+v", want, set)
	}
	inEffect, err := s.Config()
	fmt.Println(inEffect.KeepAlive, err)
	// Output: On <nil>
}

func ExampleSocket_SetKeepAlive() {
	conn, err := net.Dial("tcp", exampleServer())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	s, err := tcpopt.FromConn(conn)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.SetKeepAlive(false); err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.KeepAlive())
	// Output: false <nil>
}

// Before connect. Without KeepAlive: -1, package net would set its own
// keepalive afterwards.
func ExampleFromRawConn() {
	d := net.Dialer{
		KeepAlive: -1,
		Control: func(network, address string, rc syscall.RawConn) error {
			return tcpopt.FromRawConn(rc).SetKeepAlive(true)
		},
	}
	conn, err := d.Dial("tcp", exampleServer())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	s, err := tcpopt.FromConn(conn)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.KeepAlive())
	// Output: true <nil>
}

// A server that sets the options of each connection as it comes, which works on
// every system and through TLS.
func ExampleFromConn() {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		s, err := tcpopt.FromConn(c)
		if err == nil {
			_, err = s.SetSupported(tcpopt.Config{KeepAlive: tcpopt.On, Idle: 30 * time.Second})
		}
		if err != nil {
			log.Print(err)
		}
		return ctx
	}
	srv.StartTLS()
	defer srv.Close()

	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output: 404
}

// exampleServer returns the address of a server that accepts connections.
func exampleServer() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			if _, err := l.Accept(); err != nil {
				return
			}
		}
	}()
	return l.Addr().String()
}
