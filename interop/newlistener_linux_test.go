package interop

import (
	"context"
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
	conntrack "github.com/mwitkow/go-conntrack"
	pires "github.com/pires/go-proxyproto"
	"golang.org/x/net/netutil"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// asked is what the servers ask for.
func asked(t *testing.T) tcpopt.Config {
	t.Helper()
	c, err := tcpopt.Within(30 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// listen listens as most servers do, with package net's own keepalive.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", labtest.Loopback("tcp4"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestNewListener puts NewListener under and over the listeners of others.
func TestNewListener(t *testing.T) {
	set := func(l net.Listener) net.Listener {
		return tcpopt.NewListener(l, asked(t), func(c net.Conn, err error) { t.Errorf("failed(%v, %v)", c, err) })
	}
	for name, wrap := range map[string]func(net.Listener) net.Listener{
		"alone":               set,
		"under LimitListener": func(l net.Listener) net.Listener { return netutil.LimitListener(set(l), 1) },
		"over LimitListener":  func(l net.Listener) net.Listener { return set(netutil.LimitListener(l, 1)) },
		"under tls":           func(l net.Listener) net.Listener { return tls.NewListener(set(l), labtest.ServerTLS()) },
		"over tls":            func(l net.Listener) net.Listener { return set(tls.NewListener(l, labtest.ServerTLS())) },
		"under cmux":          func(l net.Listener) net.Listener { return multiplexed(t, set(l)) },
		"over cmux":           func(l net.Listener) net.Listener { return set(multiplexed(t, l)) },
		"over conntrack":      func(l net.Listener) net.Listener { return set(conntrack.NewListener(l)) },
		"under pires":         func(l net.Listener) net.Listener { return &pires.Listener{Listener: set(l)} },
	} {
		t.Run(name, func(t *testing.T) {
			inner := listen(t)
			l := wrap(inner)
			labtest.Dial(t, nil, inner.Addr().String(), false)
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			if p, ok := c.(*pires.Conn); ok {
				c = p.Raw()
			}
			if got, want := config(t, c), asked(t); got != want {
				t.Errorf("accepted connection has %+v, want %+v", got, want)
			}
		})
	}
}

func config(t *testing.T, c net.Conn) tcpopt.Config {
	t.Helper()
	s, err := tcpopt.FromConn(c)
	if err != nil {
		t.Fatal(err)
	}
	config, err := s.Config()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// TestNewListenerClosed puts NewListener over connections that do not lead to their
// sockets. They are accepted, and failed gets the error.
func TestNewListenerClosed(t *testing.T) {
	var told error
	inner := listen(t)
	l := tcpopt.NewListener(&armon.Listener{Listener: inner}, asked(t), func(_ net.Conn, err error) { told = err })
	labtest.Dial(t, nil, inner.Addr().String(), false)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if !errors.Is(told, errors.ErrUnsupported) || !strings.Contains(told.Error(), "*proxyproto.Conn") {
		t.Errorf("failed was called with %v, want errors.ErrUnsupported", told)
	}
}

// TestServer puts NewListener under an HTTP server, whose handler reads the options of
// its request's connection.
func TestServer(t *testing.T) {
	for _, two := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", two), func(t *testing.T) {
			type key struct{}
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Proto", r.Proto)
				got, err := tcpopt.Config{}, r.Context().Value(key{})
				if s, ok := err.(tcpopt.Socket); ok {
					got, err = s.Config()
				}
				fmt.Fprintf(w, "%+v, %v", got, err)
			}))
			srv.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
				s, err := tcpopt.FromConn(c)
				if err != nil {
					return context.WithValue(ctx, key{}, err)
				}
				return context.WithValue(ctx, key{}, s)
			}
			srv.Listener.Close()
			inner := listen(t)
			srv.Listener = netutil.LimitListener(tcpopt.NewListener(inner, asked(t), func(c net.Conn, err error) { t.Errorf("failed(%v, %v)", c, err) }), 1)
			srv.EnableHTTP2 = two
			srv.StartTLS()
			defer srv.Close()

			s, err := tcpopt.FromListener(srv.Listener)
			if err != nil {
				t.Fatal(err)
			}
			want, err := tcpopt.FromListener(inner)
			if err != nil {
				t.Fatal(err)
			}
			same(t, s, want)

			resp, err := srv.Client().Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if want := fmt.Sprintf("%+v, %v", asked(t), nil); string(got) != want || err != nil {
				t.Errorf("the server's connection has %s, %v, want %s", got, err, want)
			}
			if proto := resp.Header.Get("Proto"); (proto == "HTTP/2.0") != two {
				t.Errorf("spoke %s", proto)
			}
		})
	}
}

// TestMultipathDefault pins what package net does in a program whose go.mod says go
// 1.24 or later, like this module's. Its listeners speak multipath TCP by default, and
// their clients choose. A multipath connection lacks the user timeout and nothing else.
func TestMultipathDefault(t *testing.T) {
	explicit := labtest.Listen(t, nil, labtest.Loopback("tcp4"), true)
	labtest.Dial(t, nil, explicit.Addr().String(), true)
	c, err := explicit.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if on, err := c.MultipathTCP(); !on || err != nil {
		t.Skipf("no multipath TCP on this kernel: %v, %v", on, err)
	}

	var told error
	inner := listen(t)
	l := tcpopt.NewListener(inner, asked(t), func(_ net.Conn, err error) { told = err })
	for _, multipath := range []bool{false, true} {
		told = nil
		labtest.Dial(t, nil, inner.Addr().String(), multipath)
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if on, err := c.(*net.TCPConn).MultipathTCP(); on != multipath || err != nil {
			t.Fatalf("MultipathTCP() = %v, %v, want the client's choice, %v", on, err, multipath)
		}
		want := asked(t)
		if multipath {
			want.UserTimeout = 0
		}
		if got := config(t, c); got != want {
			t.Errorf("multipath %v: %+v, want %+v", multipath, got, want)
		}
		var option *tcpopt.OptionError
		switch {
		case !multipath && told != nil:
			t.Errorf("failed was called with %v for a connection that has all", told)
		case multipath && (!errors.As(told, &option) || option.Option != "TCP_USER_TIMEOUT" || !errors.Is(told, errors.ErrUnsupported)):
			t.Errorf("failed was called with %v, want that TCP_USER_TIMEOUT is unsupported", told)
		}
	}

	// On the listener itself, the same Config sets nothing.
	s, err := tcpopt.FromListener(inner)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetConfig(asked(t)); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "SetMultipathTCP(false)") {
		t.Errorf("SetConfig of the listener = %v, want errors.ErrUnsupported and a way out", err)
	}
	if on, err := s.KeepAlive(); on || err != nil {
		t.Errorf("KeepAlive() of the listener = %v, %v, want false", on, err)
	}
}
