// Command rpc is a JSON-RPC client and server, with a NAT router between them that may
// forget. So the client makes a do-nothing call after a silence, and waits only briefly
// for the answer. A lost connection ends soon; a slow one does not, since the timer
// looks at what the peer has acknowledged.
//
//	go run ./rpc                    client and server, on this machine
//	go run ./rpc -serve :1234       the server alone
//	go run ./rpc -connect host:1234 the client alone
//
// What to look at when both run: the server takes 125 kB a second, 1 Mbit/s. The upload
// takes 16 s, and the do-nothing call waits behind it for longer than the timer. Still
// the upload finishes. With -progress=false it never does. Over a network, cut the
// cable in mid-upload, or let NAT forget: -rest=1h, then with -idle=0.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
)

var (
	serve    = flag.String("serve", "", "be the server at this `address`")
	connect  = flag.String("connect", "", "be a client of the server at this `address`")
	upload   = flag.Int("upload", 2e6, "upload this many bytes")
	rest     = flag.Duration("rest", 5*time.Second, "be busy for this long, then quiet for this long, then call again")
	idle     = flag.Duration("idle", time.Second, "make the do-nothing call after a silence of this length (0: never)")
	timeout  = flag.Duration("timeout", 2*time.Second, "how long its answer may take")
	progress = flag.Bool("progress", true, "look at what the peer has acknowledged")
)

func main() {
	flag.Parse()
	if *connect == "" {
		l, err := net.Listen("tcp", cmp.Or(*serve, "127.0.0.1:0"))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("listening on", l.Addr())
		*connect = l.Addr().String()
		if *serve != "" {
			serveAll(l)
		}
		go serveAll(l)
	}
	for {
		err := session()
		if err == nil {
			return
		}
		fmt.Println("lost:", err)
		time.Sleep(time.Second)
	}
}

// session works over one connection.
func session() error {
	c, err := dial(*connect)
	if err != nil {
		return err
	}
	defer c.Close()
	defer c.monitor.Stop()
	start := time.Now()
	did := func(what string) {
		if err == nil {
			fmt.Printf("%s %.1f s, %d do-nothing calls\n", what, time.Since(start).Seconds(), c.nothing.Swap(0))
			start = time.Now()
		}
	}
	fmt.Println("uploading")
	err = c.call("Server.Upload", strings.Repeat("x", *upload))
	did("uploaded for")
	for ; err == nil && time.Since(start) < *rest; time.Sleep(*rest / 50) {
		err = c.call("Server.Upload", "x")
	}
	did("busy for")
	if err == nil {
		select {
		case <-time.After(*rest):
			did("quiet for")
			err = c.call("Server.Upload", "x")
			did("answered within")
		case <-c.lost.Done():
		}
	}
	return cmp.Or(context.Cause(c.lost), err) // Calls do not know why they ended.
}

type client struct {
	*rpc.Client
	monitor liveness.Monitor
	lost    context.Context // its cause is the verdict
	nothing atomic.Int32    // do-nothing calls
}

func dial(address string) (*client, error) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	c := &client{Client: jsonrpc.NewClient(conn)}
	lost, lose := context.WithCancelCause(context.Background())
	c.lost = lost
	c.monitor.Idle, c.monitor.Timeout = *idle, *timeout
	c.monitor.Probe = func() error { c.nothing.Add(1); return c.call("Server.Nothing", "") }
	c.monitor.Dead = func(err error) {
		lose(err)
		conn.(*net.TCPConn).SetLinger(0) // Drops what waits to be sent.
		conn.Close()                     // Ends all calls.
	}
	if socket, err := tcpopt.FromConn(conn); err == nil && *progress {
		c.monitor.Progress = socket.Progress
	}
	if *idle > 0 {
		c.monitor.Start()
	}
	return c, nil
}

// call makes a call, and reports the answer to the monitor.
func (c *client) call(method, argument string) error {
	err := c.Call(method, argument, new(int))
	if err == nil {
		c.monitor.Touch() // For systems without Progress.
	}
	return err
}
