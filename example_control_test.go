//go:build unix || windows

package tcpopt_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/tcpopt/tcpopt"
)

func ExampleConfig_DialControl() {
	c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: 30 * time.Second, Interval: 5 * time.Second}.Supported()
	d := net.Dialer{KeepAlive: -1, Control: c.DialControl}
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

// A listener whose connections inherit, and one call for each connection where
// they do not.
func ExampleConfig_ListenControl() {
	c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: 30 * time.Second, Interval: 5 * time.Second}.Supported()
	lc := net.ListenConfig{KeepAlive: -1, Control: c.ListenControl}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	inherit := !errors.Is(err, errors.ErrUnsupported)
	if !inherit {
		lc.Control = nil
		l, err = lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	}
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	s, err := tcpopt.FromConn(conn)
	if err == nil && !inherit {
		err = s.SetConfig(c)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.KeepAlive())
	// Output: true <nil>
}
