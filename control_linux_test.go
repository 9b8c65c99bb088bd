package tcpopt_test

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

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
			c.UserTimeout = cmp.Or(c.UserTimeout, tcpopt.Unbounded) // The client speaks plain TCP.
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
		for _, line := range strings.Split(calls, "\n") {
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

// TestDialControlBoundsConnect dials a host behind a cut cable. By itself Linux
// tries for two minutes (tcp_syn_retries, tcp(7)).
func TestDialControlBoundsConnect(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	labtest.Need(t, l.Cable.Cut())
	address := net.JoinHostPort(l.Far.IPv4.String(), "9")
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, tt := range []struct{ userTimeout, nominal time.Duration }{
		{100 * time.Millisecond, time.Second},
		{1500 * time.Millisecond, 1500 * time.Millisecond},
		{0, 0}, // Not bounded.
	} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := tcpopt.Config{KeepAlive: tcpopt.On, UserTimeout: tt.userTimeout}
			d := net.Dialer{KeepAlive: -1, Control: c.DialControl, Timeout: 2900 * time.Millisecond}
			var took time.Duration
			err := l.Near.Do(func() error {
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
		}()
	}
}
