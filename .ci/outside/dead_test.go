package outside

import (
	"net"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/tcpopttest"
)

// connect is what a program's own code might be.
func connect(address string) (net.Conn, error) {
	c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: time.Second, Count: 1}
	d := net.Dialer{KeepAlive: -1, Control: c.DialControl}
	return d.Dial("tcp", address)
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

	tcpopttest.Silence(t, peer)
	conn.SetReadDeadline(time.Now().Add(4 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); !tcpopt.IsDeadPeer(err) {
		t.Errorf("Read: %v, want a dead peer", err)
	}
}
