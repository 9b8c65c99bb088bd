//go:build unix

package tcpopttest_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/tcpopttest"
)

// This is the body of a test function, func TestDeadPeer(t *testing.T).
func ExampleSilence() {
	testDeadPeer = func(t *testing.T) {
		l, _ := net.Listen("tcp", "127.0.0.1:0")
		conn, _ := net.Dial("tcp", l.Addr().String())
		peer, _ := l.Accept()
		t.Cleanup(func() { l.Close(); conn.Close(); peer.Close() })

		// The code under test, in your program a function of its own.
		s, _ := tcpopt.FromConn(conn)
		s.SetConfig(tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: time.Second, Count: 1})

		tcpopttest.Silence(t, peer)
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("Read() = %v, want ETIMEDOUT from the kernel", err)
		}
	}
}

var testDeadPeer func(*testing.T)

func TestExample(t *testing.T) {
	t.Parallel()
	ExampleSilence()
	testDeadPeer(t)
}
