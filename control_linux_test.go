package tcpopt_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// strace runs the test of that name again, under strace(1) and with
// TCPOPT_STRACE set, and returns the trace of the system calls.
func strace(t *testing.T, calls string) string {
	t.Helper()
	program, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace(1)")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(program, "-f", "-o", trace, "-e", "trace="+calls, exe, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "TCPOPT_STRACE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		for _, reason := range []string{"ptrace(", "PTRACE_", "Exec format error"} {
			if strings.Contains(string(out), reason) {
				t.Skipf("strace(1) cannot trace here: %s", bytes.TrimSpace(out))
			}
		}
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestAcceptSystemCalls counts by strace(1) what a server whose listener has the
// Config does for keepalive while it accepts connections.
func TestAcceptSystemCalls(t *testing.T) {
	const accepts = 5
	// Where net sets its own keepalive, the same count is not zero.
	regions := []struct {
		name        string
		secure      bool
		keepAlive   time.Duration // of net.ListenConfig
		userTimeout time.Duration // 0: the listener speaks multipath TCP
		sets        int
	}{
		{"plain", false, -1, time.Minute, 0},
		{"tls", true, -1, time.Minute, 0},
		{"multipath", false, -1, 0, 0},
		{"net", false, 0, time.Minute, 4 * accepts},
	}
	if os.Getenv("TCPOPT_STRACE") != "" {
		for _, r := range regions {
			c := full
			c.UserTimeout = r.userTimeout
			replies := acceptHTTP(t, r.name, r.secure, r.keepAlive, accepts, c)
			want := fmt.Sprintf("%+v, %v", c, nil)
			for _, reply := range replies {
				if r.sets == 0 && reply != want {
					t.Errorf("%s: server's connection has %s, want %s", r.name, reply, want)
				}
			}
		}
		return
	}
	trace := strace(t, "setsockopt,accept4,chdir")
	for _, r := range regions {
		_, calls, ok := strings.Cut(trace, marker(r.name, "begin"))
		calls, _, end := strings.Cut(calls, marker(r.name, "end"))
		if !ok || !end {
			t.Fatalf("%s: no marks in the trace", r.name)
		}
		accepted, sets := 0, 0
		for line := range strings.Lines(calls) {
			switch {
			case strings.Contains(line, "accept4") && strings.Contains(line, "sin_port="):
				accepted++
			case strings.Contains(line, "SO_KEEPALIVE"), strings.Contains(line, "TCP_KEEP"), strings.Contains(line, "TCP_USER_TIMEOUT"):
				sets++
			}
		}
		if accepted != accepts || sets != r.sets {
			t.Errorf("%s: %d connections accepted with %d system calls for keepalive, want %d with %d\n%s", r.name, accepted, sets, accepts, r.sets, calls)
		}
	}
}

// acceptHTTP marks in the trace how a server accepts n connections, and returns
// what it replied. The clients leave keepalive alone.
func acceptHTTP(t *testing.T, name string, secure bool, keepAlive time.Duration, n int, c tcpopt.Config) (replies []string) {
	t.Helper()
	srv := listenHTTP(t, "tcp4", secure, keepAlive, c)
	client := http.Client{Transport: &http.Transport{
		DialContext:       (&net.Dialer{KeepAlive: -1}).DialContext,
		DisableKeepAlives: true, // HTTP's: a connection to a request.
		TLSClientConfig:   srv.Client().Transport.(*http.Transport).TLSClientConfig,
	}}
	mark(name, "begin")
	for range n {
		resp, err := client.Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		replies = append(replies, string(reply))
	}
	mark(name, "end")
	return replies
}

// protocol returns SO_PROTOCOL. TCPConn.MultipathTCP does not tell under qemu's
// user mode, nor of a listener.
func protocol(t *testing.T, c any) int {
	t.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if cerr := rc.Control(func(fd uintptr) {
		n, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
	}); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return n
}

// TestNetFallsBackFromMultipath pins that package net drops the error of a
// Control function on a multipath TCP socket, opens a plain one and calls it
// again: where it fails, Go has changed, and the docs of DialControl and
// ListenControl with it.
func TestNetFallsBackFromMultipath(t *testing.T) {
	const revise = "; if Go has changed, revise \"multipath TCP\" in the doc of "
	plain := full
	plain.UserTimeout = 0
	base := untouched(t)
	for _, tt := range []struct {
		name     string
		config   tcpopt.Config
		calls    int
		protocol int
	}{
		{"user timeout", full, 2, unix.IPPROTO_TCP},
		{"no user timeout", plain, 1, unix.IPPROTO_MPTCP},
	} {
		want := overlay(base, tt.config)
		t.Run("listener/"+tt.name, func(t *testing.T) {
			w := watcher{f: tt.config.ListenControl}
			l := listenWith(t, &net.ListenConfig{KeepAlive: -1, Control: w.control}, "tcp4")
			if got := protocol(t, l); got != tt.protocol || len(w.sockets) != tt.calls {
				t.Errorf("a listener of protocol %d after %d calls, want %d after %d"+revise+"ListenControl", got, len(w.sockets), tt.protocol, tt.calls)
			}
			for _, multipath := range []bool{false, true} {
				d := net.Dialer{KeepAlive: -1}
				d.SetMultipathTCP(multipath)
				conn, err := d.Dial("tcp4", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				accepted, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer accepted.Close()
				if got := config(t, fromConn(t, accepted)); got != want {
					t.Errorf("accepted connection has %+v, want its listener's %+v (multipath client: %v)", got, want, multipath)
				}
				speaks := unix.IPPROTO_TCP
				if multipath {
					speaks = tt.protocol
				}
				if got := protocol(t, accepted); got != speaks {
					t.Errorf("accepted connection is of protocol %d, want %d (multipath client: %v)", got, speaks, multipath)
				}
			}
		})
		for _, multipath := range []bool{true, false} {
			t.Run(fmt.Sprintf("dialer/%s/multipath server %v", tt.name, multipath), func(t *testing.T) {
				l := listen(t, "tcp4", multipath)
				w := watcher{f: tt.config.DialControl}
				d := net.Dialer{KeepAlive: -1, Control: w.control}
				d.SetMultipathTCP(true)
				conn, err := d.Dial("tcp4", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if got := protocol(t, conn); got != tt.protocol || len(w.sockets) != tt.calls {
					t.Errorf("a connection of protocol %d after %d calls, want %d after %d"+revise+"DialControl", got, len(w.sockets), tt.protocol, tt.calls)
				}
				if got := config(t, fromConn(t, conn)); got != want {
					t.Errorf("connection has %+v, want %+v", got, want)
				}
			})
		}
	}

	// What plain TCP refuses too is not lost.
	t.Run("dialer/refused", func(t *testing.T) {
		w := watcher{f: tcpopt.Config{Idle: -1}.DialControl}
		d := net.Dialer{KeepAlive: -1, Control: w.control}
		d.SetMultipathTCP(true)
		_, err := d.Dial("tcp4", listen(t, "tcp4", true).Addr().String())
		w.wantRefused(t, "dial", err, syscall.EINVAL)
		if len(w.sockets) != 2 {
			t.Errorf("DialControl was called %d times, want 2"+revise+"DialControl", len(w.sockets))
		}
	})
}

// TestDialControlBoundsConnect dials a host behind a cut cable. By itself Linux
// tries for two minutes (tcp_syn_retries, tcp(7)).
func TestDialControlBoundsConnect(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	labtest.Need(t, l.cable.Cut())
	address := net.JoinHostPort(l.far.IPv4.String(), "9")
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, tt := range []struct{ userTimeout, nominal time.Duration }{
		{100 * time.Millisecond, time.Second},
		{1500 * time.Millisecond, 1500 * time.Millisecond},
		{0, 0}, // Not bounded.
	} {
		wg.Go(func() {
			c := tcpopt.Config{Enable: true, UserTimeout: tt.userTimeout}
			d := net.Dialer{KeepAlive: -1, Control: c.DialControl, Timeout: 2900 * time.Millisecond}
			var took time.Duration
			err := l.near.Do(func() error {
				begin := time.Now()
				_, err := d.Dial("tcp4", address)
				took = time.Since(begin)
				return err
			})
			// A busy machine was seen to take half a second more.
			least, most := tt.nominal-100*time.Millisecond, late(tt.nominal+500*time.Millisecond)
			switch died := errors.Is(err, syscall.ETIMEDOUT); {
			case tt.nominal == 0:
				if err == nil || died {
					t.Errorf("no user timeout: %v after %v, want net's own timeout", err, took)
				}
			case !died || took < least || took > most:
				t.Errorf("user timeout %v: %v after %v, want %v between %v and %v", tt.userTimeout, err, took, syscall.ETIMEDOUT, least, most)
			}
		})
	}
}
