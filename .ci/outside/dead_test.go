package outside

import (
	"net"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/tcpopttest"
)

// TestListener sets what only plain TCP has: a program whose go.mod says go 1.23
// listens on nothing else unless it asks for multipath TCP.
func TestListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := tcpopt.FromListener(l)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetUserTimeout(time.Second); err != nil {
		t.Error(err)
	}
}

func TestDeadPeer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := connect(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()

	defer watch(conn).Stop()
	tcpopttest.Silence(t, peer)
	conn.SetReadDeadline(time.Now().Add(4 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); !tcpopt.IsDeadPeer(err) {
		t.Errorf("Read: %v, want a dead peer", err)
	}
}
