// Command libraries shows where the dialer or listener goes in the clients and servers
// of others, and what else it takes. Each library has its own file. A client makes a
// call once a second until one fails.
//
//	go run ./libraries redis localhost:6379
//	go build ./libraries && systemd-socket-activate -l 8080 ./libraries activated
//
// What to look at: cut the cable to the server, and the waiting call fails after 3 s.
// The program prints what the library makes of the kernel's verdict, and the verdict
// that the connection below has kept. The second command is a server that systemd
// starts: connect to it, and it prints the options of its connection.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/examples/verdict"
)

// A dialer is what most libraries take. Some want a method or fewer parameters.
type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// A client connects to address, and returns a call that the server must answer.
type client func(address string, dial dialer) (call func() error, end func(), err error)

var clients = map[string]client{
	"grpc":  grpcClient,
	"http":  httpClient("POST", "http://", nil),
	"https": httpClient("POST", "https://", nil),
	"kafka": kafkaClient,
	"mysql": mysqlClient("root@tcp(%s)/"),
	"nats":  natsClient,
	"pgx":   pgxClient("postgres://postgres@%s/postgres", pgxExec),
	"redis": redisClient,
	"ssh":   sshClient("nobody"),
}

func main() {
	within := flag.Duration("within", 3*time.Second, "notice a dead peer within this time")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: libraries [-within 3s] CLIENT HOST:PORT, or libraries activated\nclients:", slices.Sorted(maps.Keys(clients)))
	}
	flag.Parse()
	config, err := tcpopt.Within(*within)
	if err != nil {
		log.Fatal(err)
	}
	config = config.Supported()
	if flag.Arg(0) == "activated" {
		log.Fatal(receive(config))
	}
	connect := clients[flag.Arg(0)]
	if connect == nil || flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	var last net.Conn
	d := net.Dialer{KeepAlive: -1, Control: config.DialControl}
	call, end, err := connect(flag.Arg(1), func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		last = verdict.Keep(c)
		return last, nil
	})
	if err != nil {
		log.Fatal(err)
	}
	defer end()
	for {
		if err := call(); err != nil {
			fmt.Printf("%v\nIsDeadPeer: %v\nthe connection says: %v\n", err, tcpopt.IsDeadPeer(err), verdict.Of(last))
			return
		}
		fmt.Println("answered")
		time.Sleep(time.Second)
	}
}
