package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/twmb/franz-go/pkg/kfake"
	"golang.org/x/crypto/ssh"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// The servers of the tests run on a host of the lab. Each function returns an address.

// at returns a function that starts a server on its usual port.
func at(port uint16, start func(testing.TB, *netlab.Host)) func(*testing.T, *netlab.Host) string {
	return func(t *testing.T, h *netlab.Host) string {
		start(t, h)
		return netip.AddrPortFrom(h.IPv4, port).String()
	}
}

// listen listens as most servers do, with package net's own keepalive.
func listen(t *testing.T, h *netlab.Host) (l net.Listener) {
	t.Helper()
	labtest.Need(t, h.Do(func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(h.IPv4, 0).String())
		return err
	}))
	t.Cleanup(func() { l.Close() })
	return l
}

func startHTTP(config *tls.Config, proto string) func(*testing.T, *netlab.Host) string {
	return func(t *testing.T, h *netlab.Host) string {
		return serveHTTP(t, listen(t, h), config, tcpopt.Config{KeepAlive: tcpopt.On}, func(_ http.ResponseWriter, r *http.Request) {
			if r.Proto != proto {
				t.Errorf("the client speaks %s, want %s", r.Proto, proto)
			}
		})
	}
}

// serveHTTP serves the connections of l with httpServer, over TLS if secure is not nil.
func serveHTTP(t *testing.T, l net.Listener, secure *tls.Config, config tcpopt.Config, h http.HandlerFunc) (address string) {
	s, set := httpServer(l, config, func(c net.Conn, err error) { t.Errorf("%v: %v", c.RemoteAddr(), err) }, h)
	t.Cleanup(func() { s.Close() })
	if secure == nil {
		go s.Serve(set)
	} else {
		s.TLSConfig = secure
		go s.ServeTLS(set, "", "")
	}
	return l.Addr().String()
}

func startGRPC(t *testing.T, h *netlab.Host) string {
	l := listen(t, h)
	s, set := grpcServer(l, tcpopt.Config{KeepAlive: tcpopt.On}, nil)
	t.Cleanup(s.Stop)
	go s.Serve(set)
	return l.Addr().String()
}

func startKafka(t *testing.T, h *netlab.Host) string {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(func(string, string) (net.Listener, error) { return listen(t, h), nil }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

func startNATS(t *testing.T, h *netlab.Host) string {
	s, err := server.NewServer(&server.Options{Host: h.IPv4.String(), Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	labtest.Need(t, h.Do(func() error { s.Start(); return nil }))
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	return s.Addr().String()
}

func startSSH(t *testing.T, h *netlab.Host) string {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	l := listen(t, h)
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			if _, channels, requests, err := ssh.NewServerConn(nc, config); err == nil {
				go ssh.DiscardRequests(requests)
				go func() {
					for c := range channels {
						c.Reject(ssh.Prohibited, "")
					}
				}()
			}
		}
	}()
	return l.Addr().String()
}
