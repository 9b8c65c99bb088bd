package liveness_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
)

// A heartbeat that asks after 10 s of silence and does not take a slow link for
// a dead peer.
func ExampleMonitor() {
	conn, peer := connect()
	go io.Copy(peer, peer) // It sends back what it gets.

	socket, err := tcpopt.FromConn(conn)
	if err != nil {
		log.Fatal(err)
	}
	m := &liveness.Monitor{
		Idle:    10 * time.Second,
		Timeout: 5 * time.Second,
		Probe: func() error {
			_, err := conn.Write([]byte("ping\n"))
			return err
		},
		Progress: socket.Progress,
		Dead: func(err error) {
			log.Print(err)
			conn.Close() // Which ends the Read below.
		},
	}
	m.Start()
	defer m.Stop()

	if _, err := conn.Write([]byte("hello\n")); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 1024)
	n, err := conn.Read(buf)
	if err != nil {
		log.Fatal(err)
	}
	m.Touch()
	fmt.Printf("%s", buf[:n])
	// Output: hello
}

// Without a Probe a Monitor is an idle timeout. This one fires again and again,
// and the application decides.
func ExampleMonitor_idle() {
	times := make(chan int)
	n := 0
	var m *liveness.Monitor
	m = &liveness.Monitor{
		Idle: 10 * time.Millisecond,
		Dead: func(err error) {
			if n++; n < 3 {
				m.Start()
				return
			}
			e, _ := errors.AsType[*liveness.Error](err)
			fmt.Println(e.Reason, e.Timeout())
			times <- n
		},
	}
	m.Start()
	fmt.Println(<-times)
	// Output:
	// idle true
	// 3
}

// A worker that reconnects. The backoff starts over if the session was of use
// for longer than the longest wait, whatever silence followed.
func ExampleMonitor_Last() {
	const least, most = time.Second, 30 * time.Second
	backoff := least
	for range 3 {
		start, m := time.Now(), &liveness.Monitor{Idle: 90 * time.Second}
		err := session(m)
		active := max(0, m.Last().Sub(start)) // Last is zero if it did not come to Start.
		if active > most {
			backoff = least
		}
		log.Printf("session_duration_secs=%.0f active_secs=%.0f: %v", time.Since(start).Seconds(), active.Seconds(), err)
		pause(backoff/2 + rand.N(backoff/2))
		backoff = min(2*backoff, most)
	}
	fmt.Println(backoff)
	// Output: 8s
}

// session works until the connection is of no use any more. It touches m after
// each message.
func session(m *liveness.Monitor) error {
	conn, peer := connect()
	defer conn.Close()
	dead := make(chan error, 1)
	m.Dead = func(err error) {
		dead <- err
		conn.Close()
	}
	m.Start()
	defer m.Stop()
	peer.Close() // This one is soon over.
	for buf := make([]byte, 4096); ; m.Touch() {
		if _, err := conn.Read(buf); err != nil {
			select {
			case err = <-dead:
			default:
			}
			return err
		}
	}
}

func pause(time.Duration) {} // time.Sleep, but for the example.

// connect returns both ends of a connection.
func connect() (conn, peer net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	if conn, err = net.Dial("tcp", l.Addr().String()); err != nil {
		log.Fatal(err)
	}
	if peer, err = l.Accept(); err != nil {
		log.Fatal(err)
	}
	return conn, peer
}
