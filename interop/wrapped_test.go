package interop

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	armon "github.com/armon/go-proxyproto"
	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	"github.com/hashicorp/yamux"
	"github.com/miekg/dns"
	conntrack "github.com/mwitkow/go-conntrack"
	pires "github.com/pires/go-proxyproto"
	"github.com/soheilhy/cmux"
	"github.com/valyala/fasthttp"
	"github.com/xtaci/smux"
	"golang.org/x/crypto/ssh"
	"golang.org/x/net/netutil"
	"golang.org/x/net/proxy"
	"google.golang.org/grpc/test/bufconn"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// A keeper is a listener that keeps the connection it accepted last.
type keeper struct {
	*net.TCPListener
	last chan *net.TCPConn
}

func newKeeper(t *testing.T) keeper {
	return keeper{labtest.Listen(t, nil, labtest.Loopback("tcp4"), false), make(chan *net.TCPConn, 1)}
}

func (k keeper) Accept() (net.Conn, error) {
	c, err := k.AcceptTCP()
	if err != nil {
		return nil, err
	}
	k.last <- c
	return c, nil
}

// TestListeners has listeners of others, and the connections they accept.
func TestListeners(t *testing.T) {
	limit := func(_ *testing.T, l net.Listener) net.Listener { return netutil.LimitListener(l, 1) }
	secure := func(_ *testing.T, l net.Listener) net.Listener { return tls.NewListener(l, labtest.ServerTLS()) }
	for _, tt := range []struct {
		name string
		wrap func(*testing.T, net.Listener) net.Listener
	}{
		{"netutil.LimitListener", limit},
		{"tls.NewListener", secure},
		{"tls over LimitListener", func(t *testing.T, l net.Listener) net.Listener { return secure(t, limit(t, l)) }},
		{"LimitListener over tls", func(t *testing.T, l net.Listener) net.Listener { return limit(t, secure(t, l)) }},
		{"cmux", multiplexed},
		{"conntrack", func(_ *testing.T, l net.Listener) net.Listener { return conntrack.NewListener(l) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inner := newKeeper(t)
			l := tt.wrap(t, inner)
			s, err := tcpopt.FromListener(l)
			if err != nil {
				t.Fatal(err)
			}
			want, err := tcpopt.FromListener(inner.TCPListener)
			if err != nil {
				t.Fatal(err)
			}
			same(t, s, want)

			labtest.Dial(t, nil, inner.Addr().String(), false)
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			leadsTo(t, c, <-inner.last)
		})
	}
}

func multiplexed(t *testing.T, l net.Listener) net.Listener {
	m := cmux.New(l)
	all := m.Match(cmux.Any())
	done := make(chan error, 1)
	go func() { done <- m.Serve() }()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return all
}

// leadsTo fails the test unless FromConn(c) is the Socket of the connection.
func leadsTo(t *testing.T, c net.Conn, to *net.TCPConn) {
	t.Helper()
	s, err := tcpopt.FromConn(c)
	if err != nil {
		t.Fatal(err)
	}
	want, err := tcpopt.FromConn(to)
	if err != nil {
		t.Fatal(err)
	}
	same(t, s, want)
}

// same fails the test unless an option set on s shows on the real socket.
func same(t *testing.T, s, want tcpopt.Socket) {
	t.Helper()
	old, err := want.KeepAlive()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetKeepAlive(!old); err != nil {
		t.Fatal(err)
	}
	if on, err := want.KeepAlive(); on == old || err != nil {
		t.Errorf("KeepAlive() of the real socket = %v, %v, want %v", on, err, !old)
	}
}

// A dial makes a connection that the test keeps.
type dial func(ctx context.Context, network, address string) (net.Conn, error)

func (d dial) Dial(network, address string) (net.Conn, error) {
	return d(context.Background(), network, address)
}

func (d dial) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

// TestConns has connections that clients of others wrap around one of ours.
func TestConns(t *testing.T) {
	for _, tt := range []struct {
		name string
		dial func(t *testing.T, d dial) (net.Conn, error)
	}{
		{"SOCKS5 Dial", func(t *testing.T, d dial) (net.Conn, error) {
			return socks(t, d).Dial("tcp", "192.0.2.1:80")
		}},
		{"SOCKS5 DialContext", func(t *testing.T, d dial) (net.Conn, error) {
			return socks(t, d).(proxy.ContextDialer).DialContext(t.Context(), "tcp", "192.0.2.1:80")
		}},
		{"tls over SOCKS5", func(t *testing.T, d dial) (net.Conn, error) {
			c, err := socks(t, d).(proxy.ContextDialer).DialContext(t.Context(), "tcp", "192.0.2.1:80")
			return tls.Client(c, labtest.ClientTLS()), err
		}},
		{"conntrack", func(t *testing.T, d dial) (net.Conn, error) {
			f := conntrack.NewDialContextFunc(conntrack.DialWithDialContextFunc(d.DialContext))
			return f(t.Context(), "tcp", newKeeper(t).Addr().String())
		}},
		{"miekg/dns", func(t *testing.T, d dial) (net.Conn, error) {
			c, err := d.Dial("tcp", newKeeper(t).Addr().String())
			return &dns.Conn{Conn: c}, err
		}},
		{"gorilla/websocket", func(t *testing.T, d dial) (net.Conn, error) {
			c, _, err := (&gorilla.Dialer{NetDialContext: d}).DialContext(t.Context(), websockets(t), nil)
			if err != nil {
				return nil, err
			}
			return c.NetConn(), nil
		}},
		{"pires/go-proxyproto Raw", func(t *testing.T, d dial) (net.Conn, error) {
			c, err := d.Dial("tcp", newKeeper(t).Addr().String())
			return pires.NewConn(c).Raw(), err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var own *net.TCPConn
			c, err := tt.dial(t, func(ctx context.Context, network, address string) (net.Conn, error) {
				var nd net.Dialer
				c, err := nd.DialContext(ctx, network, address)
				if err == nil {
					own = c.(*net.TCPConn)
				}
				return c, err
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			leadsTo(t, c, own)
		})
	}
}

// socks returns a dialer whose proxy agrees to everything and leads nowhere.
func socks(t *testing.T, d dial) proxy.Dialer {
	t.Helper()
	l := newKeeper(t)
	go func() {
		c, err := l.AcceptTCP()
		if err != nil {
			return
		}
		for _, step := range []struct{ request, answer int }{{3, 2}, {10, 10}} { // RFC 1928, for an IPv4 address.
			io.ReadFull(c, make([]byte, step.request))
			c.Write([]byte{5, 0, 0, 1, 9: 0}[:step.answer])
		}
		io.Copy(io.Discard, c)
		c.Close()
	}()
	s, err := proxy.SOCKS5("tcp", l.Addr().String(), nil, d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// websockets returns the URL of a server that accepts them.
func websockets(t *testing.T) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		c.Read(context.Background()) // Until the client closes.
		c.CloseNow()
	}))
	t.Cleanup(srv.Close)
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

// TestFasthttp has a server that counts the connections of each address.
func TestFasthttp(t *testing.T) {
	l := newKeeper(t)
	conns := make(chan net.Conn, 1)
	srv := &fasthttp.Server{MaxConnsPerIP: 1, Handler: func(ctx *fasthttp.RequestCtx) { conns <- ctx.Conn() }}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	c := <-conns
	if _, ok := c.(*net.TCPConn); ok {
		t.Errorf("the server has a %T, want its own", c)
	}
	leadsTo(t, c, <-l.last)
	client.CloseIdleConnections()
	if err := errors.Join(srv.Shutdown(), <-done); err != nil {
		t.Error(err)
	}
}

// TestRefused has connections that are not TCP sockets, or do not lead to theirs. The
// error says so, and what to do.
func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		of   string // the type
		open func(t *testing.T, client, server net.Conn) (net.Conn, error)
	}{
		{"net.Pipe", "*net.pipe", func(t *testing.T, _, _ net.Conn) (net.Conn, error) {
			c, _ := net.Pipe()
			return c, nil
		}},
		{"bufconn", "*bufconn.conn", func(t *testing.T, _, _ net.Conn) (net.Conn, error) {
			l := bufconn.Listen(1)
			t.Cleanup(func() { l.Close() })
			go l.Accept()
			return l.Dial()
		}},
		{"yamux", "*yamux.Stream", func(t *testing.T, client, server net.Conn) (net.Conn, error) {
			config := yamux.DefaultConfig()
			config.LogOutput = io.Discard
			s, err := yamux.Server(server, config)
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { s.Close() })
			c, err := yamux.Client(client, config)
			if err != nil {
				return nil, err
			}
			return c.Open()
		}},
		{"smux", "*smux.Stream", func(t *testing.T, client, server net.Conn) (net.Conn, error) {
			s, err := smux.Server(server, nil)
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { s.Close() })
			c, err := smux.Client(client, nil)
			if err != nil {
				return nil, err
			}
			return c.OpenStream()
		}},
		{"ssh channel", "*ssh.chanConn", sshChannel},
		{"coder/websocket NetConn", "*websocket.netConn", func(t *testing.T, _, _ net.Conn) (net.Conn, error) {
			c, _, err := coder.Dial(t.Context(), websockets(t), nil)
			if err != nil {
				return nil, err
			}
			return coder.NetConn(t.Context(), c, coder.MessageBinary), nil
		}},
		{"armon/go-proxyproto", "*proxyproto.Conn", func(t *testing.T, client, _ net.Conn) (net.Conn, error) {
			return armon.NewConn(client, time.Second), nil
		}},
		{"pires/go-proxyproto", "*proxyproto.Conn", func(t *testing.T, client, _ net.Conn) (net.Conn, error) {
			return pires.NewConn(client), nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, server := labtest.Pair(t, "tcp4", false)
			c, err := tt.open(t, client, server)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			s, err := tcpopt.FromConn(c)
			if !errors.Is(err, errors.ErrUnsupported) || s != (tcpopt.Socket{}) {
				t.Fatalf("FromConn = %v, %v, want errors.ErrUnsupported", s, err)
			}
			for _, part := range []string{tt.of, "Control function", "the connection that it was made from"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("FromConn = %v, want %q in it", err, part)
				}
			}
		})
	}
}

// TestListenersRefused has listeners that do not lead to their sockets.
func TestListenersRefused(t *testing.T) {
	inner := newKeeper(t)
	inMemory := bufconn.Listen(1)
	defer inMemory.Close()
	for _, l := range []net.Listener{
		&armon.Listener{Listener: inner},
		&pires.Listener{Listener: inner},
		inMemory,
	} {
		s, err := tcpopt.FromListener(l)
		if !errors.Is(err, errors.ErrUnsupported) || s != (tcpopt.Socket{}) {
			t.Errorf("%T: FromListener = %v, %v, want errors.ErrUnsupported", l, s, err)
			continue
		}
		for _, part := range []string{fmt.Sprintf("%T", l), "ListenControl", "the listener that it was made from"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%T: FromListener = %v, want %q in it", l, err, part)
			}
		}
	}
}

// sshChannel dials through a server that agrees to everything.
func sshChannel(t *testing.T, client, server net.Conn) (net.Conn, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, err
	}
	go func() {
		config := &ssh.ServerConfig{NoClientAuth: true}
		config.AddHostKey(signer)
		_, channels, requests, err := ssh.NewServerConn(server, config)
		if err != nil {
			return // The client says why.
		}
		go ssh.DiscardRequests(requests)
		for c := range channels {
			if _, r, err := c.Accept(); err == nil {
				go ssh.DiscardRequests(r)
			}
		}
	}()
	c, channels, requests, err := ssh.NewClientConn(client, "", &ssh.ClientConfig{HostKeyCallback: ssh.FixedHostKey(signer.PublicKey())})
	if err != nil {
		return nil, err
	}
	return ssh.NewClient(c, channels, requests).Dial("tcp", "192.0.2.1:80")
}
