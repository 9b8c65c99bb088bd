package tcpopt_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// limited is a listener of somebody else's make.
type limited struct{ net.Listener }

// TestNewListener reads back what accepted connections have, on listeners whose
// connections package net gives 15 s of its own.
func TestNewListener(t *testing.T) {
	needSockets(t)
	for _, tt := range []struct {
		name string
		wrap func(net.Listener) net.Listener
	}{
		{"plain", func(l net.Listener) net.Listener { return l }},
		{"wrapped", func(l net.Listener) net.Listener { return limited{l} }},
		{"twice", func(l net.Listener) net.Listener { return tcpopt.NewListener(l, other(), nil) }},
	} {
		for _, network := range []string{"tcp4", "tcp6"} {
			t.Run(tt.name+" "+network, func(t *testing.T) {
				if err := labtest.Missing(network); err != nil {
					t.Skip(err)
				}
				var lc net.ListenConfig
				lc.SetMultipathTCP(false)
				inner := tt.wrap(listenWith(t, &lc, network))
				l := tcpopt.NewListener(inner, full, func(c net.Conn, err error) { t.Errorf("failed(%v, %v)", c, err) })
				if l.Addr() != inner.Addr() {
					t.Errorf("Addr() = %v, want %v", l.Addr(), inner.Addr())
				}
				accepted := acceptFrom(t, l)
				if got, want := config(t, fromConn(t, accepted)), overlay(untouched(t), full); got != want {
					t.Errorf("accepted connection has %+v, want %+v", got, want)
				}
				if _, ok := accepted.(*net.TCPConn); !ok {
					t.Errorf("Accept() gives a %T, want the connection itself", accepted)
				}
				if _, err := tcpopt.FromListener(l); err != nil {
					t.Errorf("FromListener(%T) = %v", l, err)
				}
				l.Close()
				if c, err := l.Accept(); !errors.Is(err, net.ErrClosed) || c != nil {
					t.Errorf("Accept() = %v, %v of a closed listener", c, err)
				}
			})
		}
	}
}

// acceptFrom returns a connection that l accepts.
func acceptFrom(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	return accepted
}

// TestNewListenerTCP has the methods that a program may want of a TCPListener.
func TestNewListenerTCP(t *testing.T) {
	inner := listen(t, "tcp4", false)
	l, ok := tcpopt.NewListener(inner, full, nil).(interface {
		net.Listener
		syscall.Conn
		SetDeadline(time.Time) error
		AcceptTCP() (*net.TCPConn, error)
	})
	if !ok {
		t.Fatal("a method of TCPListener is missing")
	}
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, want := config(t, fromConn(t, c)), overlay(untouched(t), full); got != want {
		t.Errorf("AcceptTCP: connection has %+v, want %+v", got, want)
	}
	l.SetDeadline(time.Now())
	if c, err := l.Accept(); !isTimeout(err) || c != nil {
		t.Errorf("Accept() = %v, %v after the deadline", c, err)
	}
	if c, err := l.AcceptTCP(); !isTimeout(err) || c != nil {
		t.Errorf("AcceptTCP() = %v, %v after the deadline", c, err)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// TestNewListenerRefuses accepts nothing, since every connection would be wrong.
func TestNewListenerRefuses(t *testing.T) {
	negative := tcpopt.Config{KeepAlive: tcpopt.On, Idle: -time.Second}
	if !tcpopt.KeepAliveRow.Settable() {
		l := tcpopt.NewListener(limited{}, everything, nil)
		if c, err := l.Accept(); !errors.Is(err, errors.ErrUnsupported) || c != nil {
			t.Errorf("Accept() = %v, %v, want errors.ErrUnsupported", c, err)
		}
		return
	}
	if tcpopt.KeepIdleRow.Settable() {
		l := tcpopt.NewListener(listen(t, "tcp4", false), negative, nil)
		client, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for range 2 {
			c, err := l.Accept()
			wantError(t, "Accept", err, tcpopt.KeepIdleRow.Label(), syscall.EINVAL)
			if c != nil {
				t.Errorf("Accept() = %v", c)
			}
		}
	}
	for _, l := range []net.Listener{nil, (*limitedPointer)(nil)} {
		if c, err := tcpopt.NewListener(l, full, nil).Accept(); !errors.Is(err, syscall.EINVAL) || c != nil {
			t.Errorf("Accept() of %T = %v, %v, want EINVAL", l, c, err)
		}
	}
}

// TestNewListenerElsewhere has other systems' rows: what they lack keeps no
// connection out, unless it is all.
func TestNewListenerElsewhere(t *testing.T) {
	inner := listen(t, "tcp4", false)
	c := everything
	c.KeepAlive = tcpopt.Off
	tcpopt.WithRows(true, func() {
		var told error
		l := tcpopt.NewListener(inner, c, func(_ net.Conn, err error) { told = err })
		if on, err := fromConn(t, acceptFrom(t, l)).KeepAlive(); on || err != nil {
			t.Errorf("KeepAlive() = %v, %v, want false", on, err)
		}
		wantError(t, "failed", told, tcpopt.UserTimeoutRow.Label(), errors.ErrUnsupported)
		want := 0
		for _, o := range entries() {
			if o.field != nil && o.row != tcpopt.KeepAliveRow {
				want++
			}
		}
		if got := strings.Count(fmt.Sprint(told), "not on "+runtime.GOOS); got != want {
			t.Errorf("failed was called with %v, want %d that are not on %s", told, want, runtime.GOOS)
		}
	})
	tcpopt.WithRows(false, func() {
		got, err := tcpopt.NewListener(limited{}, c, nil).Accept()
		wantError(t, "Accept without options", err, tcpopt.UserTimeoutRow.Label(), errors.ErrUnsupported)
		if got != nil {
			t.Errorf("Accept() = %v", got)
		}
	})
}

type limitedPointer struct{ net.Listener }

// TestNewListenerNothing is of a Config that asks for nothing.
func TestNewListenerNothing(t *testing.T) {
	inner := listenWith(t, &net.ListenConfig{KeepAlive: -1}, "tcp4")
	l := tcpopt.NewListener(inner, tcpopt.Config{}, func(c net.Conn, err error) { t.Errorf("failed(%v, %v)", c, err) })
	if got, want := config(t, fromConn(t, acceptFrom(t, l))), untouched(t); got != want {
		t.Errorf("accepted connection has %+v, want %+v", got, want)
	}
}

// TestNewListenerFailed is of what is no TCP socket.
func TestNewListenerFailed(t *testing.T) {
	needSockets(t)
	client, server := net.Pipe()
	defer client.Close()
	var got error
	l := tcpopt.NewListener(gives{server}, full, func(c net.Conn, err error) {
		if c != server {
			t.Errorf("failed was called with %v, want %v", c, server)
		}
		got = err
	})
	if c, err := l.Accept(); c != server || err != nil {
		t.Errorf("Accept() = %v, %v, want the connection all the same", c, err)
	}
	if !errors.Is(got, errors.ErrUnsupported) || !strings.Contains(fmt.Sprint(got), "*net.pipe") {
		t.Errorf("failed was called with %v, want errors.ErrUnsupported", got)
	}
	if c, err := tcpopt.NewListener(gives{server}, full, nil).Accept(); c != server || err != nil {
		t.Errorf("Accept() = %v, %v without a function", c, err)
	}
}

// gives is a listener that accepts its connection.
type gives struct{ net.Conn }

func (g gives) Accept() (net.Conn, error) { return g.Conn, nil }
func (g gives) Addr() net.Addr            { return g.LocalAddr() }

// TestNewListenerReset has a client that resets before it is accepted.
func TestNewListenerReset(t *testing.T) {
	l := tcpopt.NewListener(listen(t, "tcp4", false), full, nil)
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client.(*net.TCPConn).SetLinger(0)
	client.Close()
	live, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	for range 2 { // The reset one, where the system gives it, and the one that lives.
		c, err := l.Accept()
		if _, ofNet := err.(*net.OpError); ofNet {
			continue // Wine's AcceptEx says WSAENOTCONN.
		}
		if err != nil {
			t.Fatalf("Accept() = %v after a client reset", err)
		}
		defer c.Close()
		if c.RemoteAddr().String() == live.LocalAddr().String() {
			if got, want := config(t, fromConn(t, c)), overlay(untouched(t), full); got != want {
				t.Errorf("accepted connection has %+v, want %+v", got, want)
			}
			return
		}
	}
	t.Error("the connection that lives was not accepted")
}

// TestNewListenerHTTP has a server read its own sockets at each request, plain, in
// TLS, and in HTTP/2.
func TestNewListenerHTTP(t *testing.T) {
	needSockets(t)
	want := fmt.Sprintf("%+v, %v", overlay(untouched(t), full), nil)
	for _, tt := range []struct {
		name        string
		secure, two bool
	}{
		{"plain", false, false},
		{"tls", true, false},
		{"http2", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			type key struct{}
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s := r.Context().Value(key{}).(tcpopt.Socket)
				got, err := s.Config()
				w.Header().Set("Proto", r.Proto)
				fmt.Fprintf(w, "%+v, %v", got, err)
			}))
			srv.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
				s, err := tcpopt.FromConn(c)
				if err != nil {
					t.Error(err)
				}
				return context.WithValue(ctx, key{}, s)
			}
			srv.EnableHTTP2 = tt.two
			srv.Listener = tcpopt.NewListener(srv.Listener, full, func(c net.Conn, err error) { t.Errorf("failed(%v, %v)", c, err) })
			if tt.secure {
				srv.StartTLS()
			} else {
				srv.Start()
			}
			defer srv.Close()
			resp, err := srv.Client().Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(got) != want || err != nil {
				t.Errorf("the server's connection has %s, %v, want %s", got, err, want)
			}
			if two := resp.Header.Get("Proto") == "HTTP/2.0"; two != tt.two {
				t.Errorf("spoke %s", resp.Header.Get("Proto"))
			}
		})
	}
}

type listenerAlias = net.Listener

// TestFromListenerWrapped has listeners that say nothing of what they wrap.
func TestFromListenerWrapped(t *testing.T) {
	inner := listen(t, "tcp4", false)
	s, err := tcpopt.FromListener(inner)
	if err != nil {
		t.Fatal(err)
	}
	want := config(t, s)
	for name, l := range map[string]net.Listener{
		"tls":         tls.NewListener(inner, labtest.ServerTLS()),
		"embedded":    limited{inner},
		"pointer":     &limitedPointer{inner},
		"twice":       limited{tls.NewListener(&limitedPointer{inner}, labtest.ServerTLS())},
		"NewListener": tcpopt.NewListener(limited{inner}, full, nil),
	} {
		s, err := tcpopt.FromListener(l)
		if err != nil {
			t.Errorf("%s: FromListener = %v", name, err)
			continue
		}
		if got := config(t, s); got != want {
			t.Errorf("%s has %+v, want %+v", name, got, want)
		}
		if err := s.SetConfig(full); tcpopt.KeepAliveRow.Inherits() != (err == nil) {
			t.Errorf("%s: SetConfig = %v; listeners inherit: %v", name, err, tcpopt.KeepAliveRow.Inherits())
		}
		want = config(t, s)
	}
	deep := net.Listener(inner)
	for range 16 {
		deep = limited{deep}
	}
	if _, err := tcpopt.FromListener(deep); err != nil {
		t.Errorf("FromListener of 16 wrappers: %v", err)
	}
	for _, tt := range []struct {
		name string
		l    net.Listener
		want error
	}{
		{"nil", nil, syscall.EINVAL},
		{"nil TCPListener", (*net.TCPListener)(nil), syscall.EINVAL},
		{"nil pointer that embeds", (*limitedPointer)(nil), syscall.EINVAL},
		{"embeds nil", limited{}, syscall.EINVAL},
		{"17 wrappers", limited{deep}, errors.ErrUnsupported},
		{"something else", gives{}, errors.ErrUnsupported},
		{"closed alias", struct{ listenerAlias }{inner}, errors.ErrUnsupported},
	} {
		if s, err := tcpopt.FromListener(tt.l); !errors.Is(err, tt.want) || s != (tcpopt.Socket{}) {
			t.Errorf("%s: FromListener = %v, %v, want %v", tt.name, s, err, tt.want)
		}
	}
}

// TestNewListenerLeftOut names what is missing, and nothing else; it finds a field
// of Config that has been forgotten.
func TestNewListenerLeftOut(t *testing.T) {
	if err := tcpopt.LeftOut(everything, everything); err != nil {
		t.Errorf("nothing left out: %v", err)
	}
	for _, missing := range entries() {
		if missing.field == nil {
			continue
		}
		got := everything
		reflect.ValueOf(missing.field(&got)).Elem().SetZero()
		err := tcpopt.LeftOut(everything, got)
		wantError(t, "left out "+missing.get, err, missing.row.Label(), errors.ErrUnsupported)
		if missing.row.Settable() && strings.Contains(fmt.Sprint(err), "not on "+runtime.GOOS) {
			t.Errorf("left out %s: %v, which this system has", missing.get, err)
		}
		for _, there := range entries() {
			if there.get != missing.get && strings.Contains(fmt.Sprint(err), there.row.Label()) {
				t.Errorf("left out %s: %v, which names %s", missing.get, err, there.row.Label())
			}
		}
	}
}
