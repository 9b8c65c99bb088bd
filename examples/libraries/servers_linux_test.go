package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/examples/internal/e2e"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

func within(t *testing.T, d time.Duration) tcpopt.Config {
	t.Helper()
	c, err := tcpopt.Within(d)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantDue fails the test unless a dead client was noticed in time, counted from the
// cut. On a slow machine the last segment is older.
func wantDue(t *testing.T, took time.Duration) {
	t.Helper()
	if took < due/2 || took > 2*due {
		t.Errorf("noticed after %v, want after %v", took, due)
	}
}

// TestHTTPServer cuts the cable while the handler of a request waits.
func TestHTTPServer(t *testing.T) {
	t.Parallel()
	type end struct {
		at      time.Time
		err     error
		aborted bool
	}
	for _, tt := range []struct {
		name   string
		secure *tls.Config
		config tcpopt.Config // without an Idle: package net's times
		kept   string
	}{
		{"net/http server", nil, within(t, due), "by its `Progress().Aborted`"},
		{"net/http server, TLS and HTTP/2", labtest.ServerTLS(), within(t, due), "the same, if asked at once"},
		{"net/http server, package net alone", nil, tcpopt.Config{KeepAlive: tcpopt.On}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := labtest.NewLab(t)
			began, ended := make(chan bool, 1), make(chan end, 1)
			address := serveHTTP(t, listen(t, l.Far), tt.secure, tt.config, func(_ http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				began <- true
				<-r.Context().Done()
				ended <- end{time.Now(), r.Context().Err(), aborted(r)}
			})
			scheme := "http://"
			if tt.secure != nil {
				scheme = "https://"
			}
			call, stop, err := httpClient("POST", scheme, labtest.ClientTLS())(address, e2e.Dial(l.Near, &net.Dialer{KeepAlive: -1}))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(stop)
			go call()
			<-began
			labtest.Need(t, l.Cable.Cut())
			cut := time.Now()
			if tt.config.Idle == 0 {
				const long = 10 * due
				select {
				case e := <-ended:
					t.Errorf("ended with %v, want it to wait", e.err)
				case <-time.After(long):
					e2e.Figure(t, tt.name, long)
				}
				labtest.Need(t, l.Cable.Heal())
				return
			}
			e := <-ended
			wantDue(t, e.at.Sub(cut))
			// HTTP/2 closes the connection at the same time.
			if e.err != context.Canceled || !e.aborted && tt.secure == nil {
				t.Errorf("ended with %v, aborted %v, want canceled and true", e.err, e.aborted)
			}
			figure(t, tt.name, "`Serve(tcpopt.NewListener(…))`; `ConnContext` has the socket", e.err, e.at.Sub(cut), tt.kept)
		})
	}
}

// A keeper keeps the connection that it accepted last.
type keeper struct {
	net.Listener
	last chan net.Conn
}

func (k keeper) Accept() (net.Conn, error) {
	c, err := k.Listener.Accept()
	if err == nil {
		k.last <- c
	}
	return c, err
}

// TestGRPCServer checks the options of a server's connection after the first call.
func TestGRPCServer(t *testing.T) {
	t.Parallel()
	asked := within(t, time.Minute)
	theirs := asked
	theirs.UserTimeout = 20 * time.Second
	failed := func(c net.Conn, err error) { t.Errorf("%v: %v", c.RemoteAddr(), err) }
	l := labtest.NewLab(t)
	for _, tt := range []struct {
		name  string
		serve func(net.Listener) (*grpc.Server, net.Listener)
		want  tcpopt.Config
	}{
		{"as it is", func(l net.Listener) (*grpc.Server, net.Listener) {
			s := grpc.NewServer()
			grpc_health_v1.RegisterHealthServer(s, health.NewServer())
			return s, tcpopt.NewListener(l, asked, failed)
		}, theirs},
		{"the last word", func(l net.Listener) (*grpc.Server, net.Listener) { return grpcServer(l, asked, failed) }, asked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, set := tt.serve(listen(t, l.Far))
			t.Cleanup(s.Stop)
			k := keeper{set, make(chan net.Conn, 1)}
			go s.Serve(k)
			call, end, err := grpcClient(set.Addr().String(), e2e.Dial(l.Near, &net.Dialer{}))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(end)
			if err := call(); err != nil {
				t.Fatal(err)
			}
			socket, err := tcpopt.FromConn(<-k.last)
			if err != nil {
				t.Fatal(err)
			}
			got, err := socket.Config()
			if got != tt.want || err != nil {
				t.Errorf("the connection has %+v, %v, want %+v", got, err, tt.want)
			}
			idle, busy := got.DetectionTime()
			t.Logf("%+v: a dead peer is noticed within %v idle, %v busy", got, idle, busy)
		})
	}
	t.Run("cut", func(t *testing.T) {
		began, ended := make(chan bool, 1), make(chan error, 1)
		s, set := grpcServer(listen(t, l.Far), within(t, due), failed, grpc.StreamInterceptor(
			func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
				began <- true
				err := handler(srv, stream)
				ended <- stream.Context().Err()
				return err
			}))
		t.Cleanup(s.Stop)
		go s.Serve(set)
		dial := e2e.Dial(l.Near, &net.Dialer{KeepAlive: -1})
		c, err := grpc.NewClient("passthrough:///"+set.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, "tcp", address) }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		stream, err := grpc_health_v1.NewHealthClient(c).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		<-began
		labtest.Need(t, l.Cable.Cut())
		cut := time.Now()
		err = <-ended
		wantDue(t, time.Since(cut))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v, want canceled", err)
		}
		figure(t, "grpc-go server", "`Serve(tcpopt.NewListener(…))`; `keepalive.ServerParameters{Time: math.MaxInt64}`", err, time.Since(cut), "no")
	})
}

// TestActivation has systemd-socket-activate start the program.
func TestActivation(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	address := netip.AddrPortFrom(l.Far.IPv4, 8080).String()
	self, err := os.Executable() // An absolute path, for another program.
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(labtest.FindProgram(t, "systemd-socket-activate"), "-E", labtest.Program("example").Env(), "-l", address, self, "activated")
	p := labtest.Start(t, cmd, l.Far.Start)

	dial := e2e.Dial(l.Near, &net.Dialer{KeepAlive: -1})
	var c net.Conn
	for start := time.Now(); c == nil; {
		if c, err = dial(t.Context(), "tcp", address); err != nil && time.Since(start) > 10*time.Second {
			t.Fatal(err)
		}
	}
	defer c.Close()
	if got, want := p.Line(t), fmt.Sprintf("accepted, with %+v", within(t, due)); got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	labtest.Need(t, l.Cable.Cut())
	cut := time.Now()
	if got := p.Line(t); !strings.HasSuffix(got, "IsDeadPeer: true") {
		t.Errorf("it says %q, want a dead peer", got)
	}
	wantDue(t, time.Since(cut))
	e2e.Figure(t, "systemd socket activation", time.Since(cut))
}
