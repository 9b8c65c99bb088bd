package labtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/tcpopt/tcpopt/internal/netlab"
)

// Package net leaves keepalive alone on all connections and listeners here. They close
// when the test ends.

// Loopback returns the address of this machine on network, tcp4 or tcp6, with
// port 0.
func Loopback(network string) string {
	ip := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if network == "tcp6" {
		ip = netip.IPv6Loopback()
	}
	return netip.AddrPortFrom(ip, 0).String()
}

// Missing returns why this machine lacks network, tcp4 or tcp6.
func Missing(network string) error {
	l, err := net.Listen(network, Loopback(network))
	if err != nil {
		return fmt.Errorf("no %s here: %w", network, err)
	}
	return l.Close()
}

// ListenConfig leaves keepalive alone.
func ListenConfig(multipath bool) *net.ListenConfig {
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(multipath)
	return &lc
}

// Listen listens on h, or on this machine if h is nil.
func Listen(t testing.TB, h *netlab.Host, address string, multipath bool) *net.TCPListener {
	t.Helper()
	var l net.Listener
	Need(t, in(h, func() (err error) {
		l, err = ListenConfig(multipath).Listen(context.Background(), "tcp", address)
		return err
	}))
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// Dial connects from h, or from this machine if h is nil.
func Dial(t testing.TB, h *netlab.Host, address string, multipath bool) *net.TCPConn {
	t.Helper()
	d := net.Dialer{KeepAlive: -1}
	d.SetMultipathTCP(multipath)
	var c net.Conn
	Need(t, in(h, func() (err error) {
		c, err = d.Dial("tcp", address)
		return err
	}))
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// Pair returns both ends of a connection over this machine's loopback on network, tcp4
// or tcp6.
func Pair(t testing.TB, network string, multipath bool) (client, server *net.TCPConn) {
	t.Helper()
	return connect(t, nil, Listen(t, nil, Loopback(network), multipath), multipath)
}

// Secure puts TLS on both ends of a connection.
func Secure(t testing.TB, client, server net.Conn) (c, s *tls.Conn) {
	t.Helper()
	c = tls.Client(client, ClientTLS())
	s = tls.Server(server, ServerTLS())
	done := make(chan error, 1)
	go func() { done <- s.Handshake() }()
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return c, s
}

// ClientTLS trusts everybody.
func ClientTLS() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// ServerTLS has a self-signed certificate.
func ServerTLS() *tls.Config { return serverTLS().Clone() }

var serverTLS = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}}
})

func connect(t testing.TB, from *netlab.Host, to *net.TCPListener, multipath bool) (client, server *net.TCPConn) {
	t.Helper()
	defer to.Close()
	client = Dial(t, from, to.Addr().String(), multipath)
	server, err := to.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

// in calls f on h, or here if h is nil.
func in(h *netlab.Host, f func() error) error {
	if h == nil {
		return f()
	}
	return h.Do(f)
}
