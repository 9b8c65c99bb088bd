//go:build unix || windows

package tcpopt_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/tcpopt/tcpopt"
)

// A server in one line: each connection has the Config, whatever package net sets.
func ExampleNewListener() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	l = tcpopt.NewListener(l, tcpopt.Config{KeepAlive: tcpopt.On, Idle: 30 * time.Second}, func(c net.Conn, err error) {
		log.Printf("%v: %v", c.RemoteAddr(), err)
	})
	srv := &http.Server{Handler: http.NotFoundHandler()}
	go srv.Serve(l)
	defer srv.Close()

	resp, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output: 404
}

// The setting of a program that has a net.KeepAliveConfig: a zero means 15 s, 15 s
// and 9, and a negative value is left alone.
func ExampleConfigFromNet() {
	std := net.KeepAliveConfig{Enable: true, Idle: time.Minute, Count: -1}
	fmt.Printf("%+v\n", tcpopt.ConfigFromNet(std))
	// Output: {KeepAlive:On Idle:1m0s Interval:15s Count:0 UserTimeout:0s}
}

// Two Control functions, one after the other. Package net calls Control only where
// ControlContext is nil.
func ExampleConfig_DialControl_chain() {
	c := tcpopt.Config{KeepAlive: tcpopt.On}
	own := func(ctx context.Context, network, address string, rc syscall.RawConn) error {
		fmt.Println("own options for", network)
		return nil
	}
	d := net.Dialer{
		KeepAlive: -1,
		ControlContext: func(ctx context.Context, network, address string, rc syscall.RawConn) error {
			if err := own(ctx, network, address, rc); err != nil {
				return err
			}
			return c.DialControl(network, address, rc)
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
	// Output:
	// own options for tcp4
	// true <nil>
}

// One dialer for TCP and for Unix sockets, which have no such options.
func ExampleConfig_DialControl_unix() {
	c := tcpopt.Config{KeepAlive: tcpopt.On}
	control := func(network, address string, rc syscall.RawConn) error {
		if !strings.HasPrefix(network, "tcp") {
			return nil
		}
		return c.DialControl(network, address, rc)
	}
	d := net.Dialer{KeepAlive: -1, Control: control}
	conn, err := d.Dial("tcp", exampleServer())
	if err != nil {
		log.Fatal(err)
	}
	conn.Close()
	fmt.Println(control("unix", "/run/server.sock", nil))
	// Output: <nil>
}

// The user timeout alone, where there is one. Keepalive stays as package net sets
// it, so KeepAlive is not negative here.
func ExampleConfig_DialControl_userTimeout() {
	c := tcpopt.Config{UserTimeout: 20 * time.Second}.Supported()
	d := net.Dialer{Control: c.DialControl}
	conn, err := d.Dial("tcp", exampleServer())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	s, err := tcpopt.FromConn(conn)
	if err != nil {
		log.Fatal(err)
	}
	got, err := s.Config()
	fmt.Println(got.KeepAlive, got.UserTimeout == c.UserTimeout, err)
	// Output: On true <nil>
}

// Does this system have a count? Other options are asked the same way.
func ExampleConfig_Supported() {
	if (tcpopt.Config{Count: 1}).Supported().Count == 0 {
		fmt.Println("unanswered probes cannot be counted here")
	}
}

// The handler of a server looks at, or changes, the connection of its request.
func ExampleSocket_connContext() {
	type key struct{}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, ok := r.Context().Value(key{}).(tcpopt.Socket)
		if !ok {
			http.Error(w, "no TCP socket", http.StatusInternalServerError)
			return
		}
		on, err := s.KeepAlive()
		fmt.Fprint(w, on, err)
	}))
	srv.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		s, err := tcpopt.FromConn(c) // Also through TLS.
		if err != nil {
			log.Print(err)
			return ctx
		}
		return context.WithValue(ctx, key{}, s)
	}
	srv.StartTLS()
	defer srv.Close()

	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(string(body), err)
	// Output: true <nil> <nil>
}

// A setting in whole seconds, whose limit is shown in seconds as well.
func ExampleConfig_Validate() {
	check := func(seconds int) error {
		idle := func(n int) error {
			return tcpopt.Config{Idle: time.Duration(n) * time.Second}.Supported().Validate()
		}
		if idle(seconds) == nil {
			return nil
		}
		most := sort.Search(math.MaxInt32, func(n int) bool { return idle(n+1) != nil })
		return fmt.Errorf("idle_seconds: %d is not from 1 to %d", seconds, most)
	}
	fmt.Println(check(60))
	// Output: <nil>
}
