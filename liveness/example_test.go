package liveness_test

import (
	"bufio"
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

// This heartbeat asks after 10 s of silence, and does not take a slow link for a dead
// peer.
func ExampleMonitor() {
	conn, peer := connect()
	go io.Copy(peer, peer) // It echoes.

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
			conn.Close() // This ends the Read below.
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
			var e *liveness.Error
			errors.As(err, &e)
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

// A library owns the connection: it reads in its own goroutine and offers a Ping that
// waits for the answer. When the peer hangs, the worker connects again.
func ExampleMonitor_reconnect() {
	for _, healthy := range []bool{false, true} {
		conn, peer := connect()
		go answer(peer, healthy)
		switch err := work(newClient(conn)); {
		case errors.As(err, new(*liveness.Error)):
			fmt.Println("the peer is silent: connecting again")
		case err != nil:
			log.Fatal(err)
		}
	}
	// Output:
	// the peer is silent: connecting again
	// three pings were answered
}

// work works with the client until its connection is dead. The library knows nothing of
// the Monitor, which sees through Progress what is received.
func work(c *client) error {
	socket, err := tcpopt.FromConn(c.conn)
	if err != nil {
		return err
	}
	dead, done := make(chan error, 1), make(chan bool)
	pings := 0
	var m liveness.Monitor // One for each connection.
	m.Idle, m.Timeout = 10*time.Millisecond, 500*time.Millisecond
	m.Probe = func() error {
		if err := c.Ping(); err != nil {
			return err
		}
		m.Touch() // For systems without Progress.
		if pings++; pings == 3 {
			close(done)
		}
		return nil
	}
	m.Progress = socket.Progress
	m.Dead = func(err error) {
		dead <- err
		c.conn.Close() // This ends Ping, whose error does not matter now.
	}
	m.Start()
	defer m.Stop()
	select {
	case <-done:
		fmt.Println("three pings were answered")
		return nil
	case err := <-dead:
		return err
	}
}

// client stands for a library's client.
type client struct {
	conn  net.Conn
	pongs chan string
}

func newClient(conn net.Conn) *client {
	c := &client{conn, make(chan string)}
	go func() {
		defer close(c.pongs)
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			c.pongs <- lines.Text()
		}
	}()
	return c
}

func (c *client) Ping() error {
	if _, err := io.WriteString(c.conn, "ping\n"); err != nil {
		return err
	}
	if _, ok := <-c.pongs; !ok {
		return net.ErrClosed
	}
	return nil
}

// answer answers pings, unless it hangs.
func answer(peer net.Conn, healthy bool) {
	for lines := bufio.NewScanner(peer); lines.Scan(); {
		if healthy {
			io.WriteString(peer, "pong\n")
		}
	}
}

// This worker reconnects. The backoff starts over if the session was useful for longer
// than the longest wait, whatever silence followed.
func ExampleMonitor_Last() {
	const least, most = time.Second, 30 * time.Second
	backoff := least
	for range 3 {
		start, m := time.Now(), &liveness.Monitor{Idle: 90 * time.Second}
		err := session(m)
		active := max(0, m.Last().Sub(start)) // Last is zero if Start was not called.
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

// session works until the connection ends. It touches m after each message.
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
	peer.Close() // This session ends soon.
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

func pause(time.Duration) {} // In a real program, time.Sleep.

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
