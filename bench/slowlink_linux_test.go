package bench

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/liveness"
)

func TestMain(m *testing.M) { labtest.Main(m, 4) }

// The defaults of yamux are 30 s from ping to ping and 10 s for the answer. These
// are a tenth.
const (
	idle    = 3 * time.Second
	timeout = 1 * time.Second
	bulk    = 1 << 20 // Of data, on a link of 1 Mbit/s: it takes 9 s.
	watch   = 15 * time.Second
)

// TestSlowLink sends bulk data to a healthy peer over a slow link.
func TestSlowLink(t *testing.T) {
	t.Run("yamux", func(t *testing.T) {
		t.Parallel()
		near, far := slowLink(t)
		var said bytes.Buffer
		config := yamux.DefaultConfig()
		if config.KeepAliveInterval != 10*idle || config.ConnectionWriteTimeout != 10*timeout {
			t.Fatalf("the defaults of yamux are %v and %v now", config.KeepAliveInterval, config.ConnectionWriteTimeout)
		}
		config.KeepAliveInterval, config.ConnectionWriteTimeout = idle, timeout
		config.LogOutput, config.Logger = nil, log.New(&said, "", 0)
		client, err := yamux.Client(near, config)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		quiet := yamux.DefaultConfig()
		quiet.LogOutput = io.Discard
		server, err := yamux.Server(far, quiet)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		go func() {
			for {
				stream, err := server.Accept()
				if err != nil {
					return
				}
				go io.Copy(io.Discard, stream)
			}
		}()
		var streams [4]*yamux.Stream // Each has a window of 256 KiB.
		for i := range streams {
			if streams[i], err = client.OpenStream(); err != nil { // Before data is in the way.
				t.Fatal(err)
			}
		}
		start := time.Now()
		for _, stream := range streams {
			go stream.Write(make([]byte, bulk/4))
		}
		select {
		case <-client.CloseChan():
			t.Logf("yamux: session dead after %v: %s", time.Since(start).Round(10*time.Millisecond), bytes.TrimSpace(said.Bytes()))
		case <-time.After(watch):
			t.Errorf("yamux: alive after %v; it has learned, and this comparison is out of date", watch)
		}
	})
	for name, progress := range map[string]bool{"Monitor": true, "Monitor without Progress": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			near, far := slowLink(t)
			go answer(far)
			s, err := tcpopt.FromConn(near)
			if err != nil {
				t.Fatal(err)
			}
			dead := make(chan error, 1)
			m := &liveness.Monitor{
				Idle:    idle,
				Timeout: timeout,
				Probe: func() error {
					_, err := near.Write([]byte{'p'})
					return err
				},
				Dead: func(err error) { dead <- err },
			}
			if progress {
				m.Progress = s.Progress
			}
			go func() {
				buf := make([]byte, 1024)
				for {
					if _, err := near.Read(buf); err != nil {
						return
					}
					m.Touch()
				}
			}()
			start := time.Now()
			m.Start()
			go near.Write(make([]byte, bulk))
			select {
			case err := <-dead:
				t.Logf("%s: dead after %v: %v", name, time.Since(start).Round(10*time.Millisecond), err)
				if e, ok := errors.AsType[*liveness.Error](err); progress || !ok || e.Reason == liveness.Idle {
					t.Errorf("%s: %v", name, err)
				}
			case <-time.After(watch):
				if !m.Stop() || !progress {
					t.Errorf("%s: alive, want dead", name)
				}
				t.Logf("%s: alive after %v", name, watch)
			}
		})
	}
}

// slowLink returns both ends of a connection that is slow in one direction.
func slowLink(t *testing.T) (near, far net.Conn) {
	t.Helper()
	a, b := labtest.NewHost(t), labtest.NewHost(t)
	cable := labtest.NewCable(t, a, b)
	labtest.Need(t, cable.Slow(a, 125000, 50000))
	var l net.Listener
	labtest.Need(t, b.Do(func() (err error) { l, err = net.Listen("tcp", netip.AddrPortFrom(b.IPv4, 0).String()); return }))
	defer l.Close()
	labtest.Need(t, a.Do(func() (err error) { near, err = net.Dial("tcp", l.Addr().String()); return }))
	t.Cleanup(func() { near.Close() })
	far, err := l.Accept()
	labtest.Need(t, err)
	t.Cleanup(func() { far.Close() })
	return near, far
}

// answer answers each p and swallows the rest.
func answer(c net.Conn) {
	buf := make([]byte, 1<<16)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if n := bytes.Count(buf[:n], []byte{'p'}); n > 0 {
			if _, err := c.Write(bytes.Repeat([]byte{'P'}, n)); err != nil {
				return
			}
		}
	}
}
