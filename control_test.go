package tcpopt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

type controlFunc = func(network, address string, rc syscall.RawConn) error

// A watcher is a Control function that remembers the sockets that it was
// called for.
type watcher struct {
	f       controlFunc
	sockets []syscall.RawConn
}

func (w *watcher) control(network, address string, rc syscall.RawConn) error {
	w.sockets = append(w.sockets, rc)
	return w.f(network, address, rc)
}

// wantRefused checks that err of package net is the refusal of the Control
// function and that every socket it was called for is closed.
func (w *watcher) wantRefused(t *testing.T, what string, err, target error) {
	t.Helper()
	var oe *net.OpError
	if !errors.As(err, &oe) || !errors.Is(err, target) || !strings.Contains(err.Error(), "tcpopt: ") {
		t.Errorf("%s: %v, want a *net.OpError of tcpopt's error that is %q", what, err, target)
	}
	if len(w.sockets) == 0 {
		t.Errorf("%s: Control was not called", what)
	}
	for _, rc := range w.sockets {
		if err := rc.Control(func(uintptr) {}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: after the refusal the socket answers %v, want %v", what, err, net.ErrClosed)
		}
	}
}

// untouched is what a new socket has.
func untouched(t *testing.T) tcpopt.Config {
	t.Helper()
	return config(t, unconnected(t, "tcp4"))
}

// other is full with another value in every field that is not zero.
func other() tcpopt.Config {
	c := full
	for _, o := range allTimes {
		if d := o.field(&c); *d != 0 {
			*d += time.Second
		}
	}
	if c.Count != 0 {
		c.Count++
	}
	return c
}

var controlConfigs = []tcpopt.Config{{}, {KeepAlive: tcpopt.On}, full, off(full)}

func off(c tcpopt.Config) tcpopt.Config {
	c.KeepAlive = tcpopt.Off
	return c
}

func TestDialControl(t *testing.T) {
	needSockets(t)
	base := untouched(t)
	for _, network := range []string{"tcp4", "tcp6"} {
		l := listen(t, network, false)
		for _, c := range controlConfigs {
			d := net.Dialer{KeepAlive: -1, Control: c.DialControl}
			conn, err := d.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got, want := config(t, fromConn(t, conn)), overlay(base, c); got != want {
				t.Errorf("%s: connection with %+v.DialControl has %+v, want %+v", network, c, got, want)
			}
		}
	}
}

func TestListenControl(t *testing.T) {
	needSockets(t)
	base := untouched(t)
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		for _, c := range controlConfigs {
			if !tcpopt.KeepAliveRow.Inherits() && c != (tcpopt.Config{}) {
				w := watcher{f: c.ListenControl}
				lc := labtest.ListenConfig(true)
				lc.Control = w.control
				l, err := lc.Listen(context.Background(), network, address)
				if l != nil {
					t.Errorf("Listen = %v, want none", l)
				}
				w.wantRefused(t, fmt.Sprintf("listen on %s with %+v", network, c), err, errors.ErrUnsupported)
				continue
			}
			lc := labtest.ListenConfig(true)
			lc.Control = c.ListenControl
			l := listenWith(t, lc, network)
			d := net.Dialer{KeepAlive: -1}
			for range 2 {
				conn, err := d.Dial(network, l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				accepted, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer accepted.Close()
				if got, want := config(t, fromConn(t, accepted)), overlay(base, c); got != want {
					t.Errorf("%s: connection accepted with %+v.ListenControl has %+v, want %+v", network, c, got, want)
				}
				if got := config(t, fromConn(t, conn)); got != base {
					t.Errorf("%s: its client has %+v, want %+v", network, got, base)
				}
			}
		}
	}
}

// listenHTTP starts a server whose connections have c, and which answers with
// what it reads on its own end of the connection.
func listenHTTP(t *testing.T, network string, secure bool, keepAlive time.Duration, c tcpopt.Config) *httptest.Server {
	t.Helper()
	type key struct{}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := r.Context().Value(key{}).(tcpopt.Socket).Config()
		fmt.Fprintf(w, "%+v, %v", got, err)
	}))
	srv.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		s, err := tcpopt.FromConn(conn)
		if err == nil && !tcpopt.KeepAliveRow.Inherits() {
			err = s.SetConfig(c)
		}
		if err != nil {
			t.Error(err)
		}
		return context.WithValue(ctx, key{}, s)
	}
	lc := net.ListenConfig{KeepAlive: keepAlive, Control: c.ListenControl}
	lc.SetMultipathTCP(true)
	if !tcpopt.KeepAliveRow.Inherits() {
		lc.Control = nil // TestListenControl sees it refuse.
	}
	srv.Listener.Close()
	srv.Listener = listenWith(t, &lc, network)
	if secure {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	return srv
}

// TestControlHTTP has each end read its own socket at each request.
func TestControlHTTP(t *testing.T) {
	needSockets(t)
	base := untouched(t)
	dials, listens := full, other()
	want := overlay(base, dials)
	wantReply := fmt.Sprintf("%+v, %v", overlay(base, listens), nil)
	for _, tt := range []struct {
		name    string
		network string
		secure  bool
	}{
		{"plain", "tcp4", false},
		{"tls", "tcp4", true},
		{"plain on ipv6", "tcp6", false},
		{"tls on ipv6", "tcp6", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := listenHTTP(t, tt.network, tt.secure, -1, listens)
			d := net.Dialer{KeepAlive: -1, Control: dials.DialControl}
			transport := &http.Transport{
				DialContext:     d.DialContext,
				TLSClientConfig: srv.Client().Transport.(*http.Transport).TLSClientConfig,
			}
			defer transport.CloseIdleConnections()
			conns := 0
			ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
				conns++
				s, err := tcpopt.FromConn(info.Conn)
				if err != nil {
					t.Error(err)
				}
				if got, err := s.Config(); got != want || err != nil {
					t.Errorf("client's %T has %+v, %v, want %+v", info.Conn, got, err, want)
				}
			}})
			const requests = 4
			for i := range requests {
				req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Close = i%2 == 1 // Two requests to a connection.
				resp, err := (&http.Client{Transport: transport}).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				reply, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(reply) != wantReply || err != nil {
					t.Errorf("server's connection has %s, %v, want %s", reply, err, wantReply)
				}
			}
			if conns != requests {
				t.Errorf("looked at %d connections in %d requests", conns, requests)
			}
		})
	}
}

// TestControlRefusesConfig is about a Config that no socket takes.
func TestControlRefusesConfig(t *testing.T) {
	needSockets(t)
	refused := func(c tcpopt.Config, label string, target error) {
		t.Helper()
		what := fmt.Sprintf("dial with %+v", c)
		l := listen(t, "tcp4", false)
		w := watcher{f: c.DialControl}
		d := net.Dialer{KeepAlive: -1, Control: w.control}
		conn, err := d.Dial("tcp4", l.Addr().String())
		if conn != nil {
			t.Errorf("%s = %v, want none", what, conn)
		}
		wantError(t, what, err, label, target)
		w.wantRefused(t, what, err, target)

		// The first that the server gets is another.
		next, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer next.Close()
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer accepted.Close()
		if got, want := accepted.RemoteAddr().String(), next.LocalAddr().String(); got != want {
			t.Errorf("%s: server accepted %s, want %s alone", what, got, want)
		}

		what = fmt.Sprintf("listen with %+v", c)
		w = watcher{f: c.ListenControl}
		lc := labtest.ListenConfig(true)
		lc.Control = w.control
		opened, err := lc.Listen(context.Background(), "tcp4", "127.0.0.1:0")
		if opened != nil {
			t.Errorf("%s = %v, want none", what, opened)
		}
		wantError(t, what, err, label, target)
		w.wantRefused(t, what, err, target)
	}
	for _, o := range allTimes {
		for _, d := range []time.Duration{-1, o.row.Duration(o.row.Most()) + 1} {
			c := tcpopt.Config{KeepAlive: tcpopt.On}
			if *o.field(&c) = d; o.row.Settable() {
				refused(c, o.row.Label(), syscall.EINVAL)
			} else {
				refused(c, o.row.Label(), errors.ErrUnsupported)
			}
		}
	}
	for _, n := range []int{-1, int(tcpopt.KeepCountRow.Most()) + 1} {
		if c := (tcpopt.Config{KeepAlive: tcpopt.On, Count: n}); tcpopt.KeepCountRow.Settable() {
			refused(c, tcpopt.KeepCountRow.Label(), syscall.EINVAL)
		} else {
			refused(c, tcpopt.KeepCountRow.Label(), errors.ErrUnsupported)
		}
	}
}

// TestControlRefusesNetwork is about sockets that would take SO_KEEPALIVE and
// do nothing with it.
func TestControlRefusesNetwork(t *testing.T) {
	needSockets(t)
	ctx := context.Background()
	open := map[string]func(controlFunc) (io.Closer, error){
		"dial udp4": func(f controlFunc) (io.Closer, error) {
			return (&net.Dialer{KeepAlive: -1, Control: f}).Dial("udp4", "127.0.0.1:9")
		},
		"listen udp4": func(f controlFunc) (io.Closer, error) {
			return (&net.ListenConfig{KeepAlive: -1, Control: f}).ListenPacket(ctx, "udp4", "127.0.0.1:0")
		},
	}
	if l := unixListener(t); l != nil {
		path := l.Addr().String()
		open["dial unix"] = func(f controlFunc) (io.Closer, error) {
			return (&net.Dialer{KeepAlive: -1, Control: f}).Dial("unix", path)
		}
		path2 := path + "refused"
		open["listen unix"] = func(f controlFunc) (io.Closer, error) {
			c, err := (&net.ListenConfig{KeepAlive: -1, Control: f}).Listen(ctx, "unix", path2)
			if _, err := os.Lstat(path2); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v, want %v", path2, err, fs.ErrNotExist)
			}
			return c, err
		}
	}
	for name, f := range open {
		for _, c := range controlConfigs {
			for _, control := range []controlFunc{c.DialControl, c.ListenControl} {
				w := watcher{f: control}
				what := fmt.Sprintf("%s with %+v", name, c)
				opened, err := f(w.control)
				if err == nil {
					opened.Close()
				}
				w.wantRefused(t, what, err, errors.ErrUnsupported)
				if network := strings.Fields(name)[1]; err != nil && !strings.Contains(err.Error(), fmt.Sprintf("%q", network)) {
					t.Errorf("%s: %q does not name %s", what, err, network)
				}
			}
		}
	}
}

// TestControlWithoutSocket is about what is refused without a look at the
// socket.
func TestControlWithoutSocket(t *testing.T) {
	for _, c := range []tcpopt.Config{{}, {KeepAlive: tcpopt.On}, {Idle: -1}, full} {
		for name, f := range map[string]controlFunc{"DialControl": c.DialControl, "ListenControl": c.ListenControl} {
			for _, network := range []string{"", "udp", "udp4", "ip4:1", "unix", "mptcp", "tcp7", "tcpx", "TCP"} {
				if err := f(network, "", noControl{}); !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("%+v.%s(%q) = %v, want %v", c, name, network, err, errors.ErrUnsupported)
				}
			}
			if !tcpopt.KeepAliveRow.Settable() && c != (tcpopt.Config{}) {
				err := f("tcp4", "", noControl{})
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("%+v.%s = %v, want %v", c, name, err, errors.ErrUnsupported)
				}
			}
		}
	}
}

// TestNetOverwritesControl pins what package net does where KeepAlive is not
// negative: where it fails, Go has changed, and the docs of DialControl and
// ListenControl with it.
func TestNetOverwritesControl(t *testing.T) {
	needSockets(t)
	const revise = "if Go has changed, revise \"Without the negative KeepAlive\" in the doc of "
	c := off(full) // Even that is overwritten.
	want := overlay(untouched(t), c)
	want.KeepAlive = tcpopt.On
	for _, o := range allTimes[:2] { // Idle and interval.
		if o.row.Settable() {
			*o.field(&want) = o.row.Duration(15) // Seconds, as net believes.
		}
	}
	if tcpopt.KeepCountRow.Settable() {
		want.Count = 9
	}

	lc := net.ListenConfig{Control: c.ListenControl}
	lc.SetMultipathTCP(true)
	wantAccepted := want
	if !tcpopt.KeepAliveRow.Inherits() {
		lc.Control = nil
		wantAccepted.UserTimeout = untouched(t).UserTimeout
	}
	l := listenWith(t, &lc, "tcp4")
	d := net.Dialer{Control: c.DialControl}
	conn, err := d.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := config(t, fromConn(t, conn)); got != want {
		t.Errorf("after %+v.DialControl net left %+v, want its own %+v; "+revise+"DialControl", c, got, want)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if got := config(t, fromConn(t, accepted)); got != wantAccepted {
		t.Errorf("after %+v.ListenControl net left %+v on an accepted connection, want its own %+v; "+revise+"ListenControl", c, got, wantAccepted)
	}
}
