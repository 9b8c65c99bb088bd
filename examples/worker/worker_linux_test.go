package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tcpopt/tcpopt/examples/internal/e2e"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/liveness"
)

func TestMain(m *testing.M) { e2e.Main(m, main) }

const (
	ping  = time.Second
	slack = 500 * time.Millisecond // for a busy machine
)

// A lab has a worker on one host and a proxy on the other.
type lab struct {
	labtest.Lab
	proxy    *proxy
	heard    atomic.Int64 // when the worker's host last received something, in µs
	sessions chan slog.Record
	ends     chan slog.Record
}

// start starts a worker with the settings of w.
func start(t *testing.T, w worker, lives ...time.Duration) *lab {
	t.Helper()
	l := &lab{Lab: labtest.NewLab(t), proxy: &proxy{ping: ping, lives: lives}, sessions: make(chan slog.Record, 100), ends: make(chan slog.Record, 100)}
	listener := labtest.Listen(t, l.Far, netip.AddrPortFrom(l.Far.IPv4, 0).String(), false)
	go http.Serve(listener, l.proxy)
	w.url, w.log = "ws://"+listener.Addr().String(), slog.New(l)
	dial := e2e.Dial(l.Near, &net.Dialer{})
	w.http = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		return &hearing{c, &l.heard}, err
	}}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan bool)
	go func() {
		w.run(ctx)
		close(done)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return l
}

// A hearing connection notes when it last received something.
type hearing struct {
	net.Conn
	last *atomic.Int64
}

func (c *hearing) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.last.Store(time.Now().UnixMicro())
	}
	return n, err
}

// A lab takes the worker's log.
func (l *lab) Enabled(context.Context, slog.Level) bool { return true }
func (l *lab) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lab) WithGroup(string) slog.Handler            { return l }
func (l *lab) Handle(_ context.Context, r slog.Record) error {
	switch r.Message {
	case "connected and registered":
		l.sessions <- r
	case "session ended":
		l.ends <- r
	default:
		panic(r.Message)
	}
	return nil
}

// within returns the next record, which must come within d.
func within(t *testing.T, what string, d time.Duration, records <-chan slog.Record) slog.Record {
	t.Helper()
	select {
	case r := <-records:
		return r
	case <-time.After(d):
		t.Fatalf("%s: nothing for %v", what, d)
		panic("not reached")
	}
}

// attr returns an attribute that the record must have.
func attr(t *testing.T, r slog.Record, key string) (v any) {
	t.Helper()
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == key {
			v = a.Value.Any()
		}
		return v == nil
	})
	if v == nil {
		t.Fatalf("%q has no %s", r.Message, key)
	}
	return v
}

func seconds(t *testing.T, r slog.Record, key string) time.Duration {
	t.Helper()
	return time.Duration(attr(t, r, key).(float64) * float64(time.Second))
}

// TestSilent cuts the cable of a session.
func TestSilent(t *testing.T) {
	t.Parallel()
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		const long = 10 * 3500 * time.Millisecond // ten times what it takes below
		l := start(t, worker{silence: -1, least: time.Second, most: 30 * time.Second})
		within(t, "session", 5*time.Second, l.sessions)
		time.Sleep(3 * ping)
		labtest.Need(t, l.Cable.Cut())
		select {
		case r := <-l.ends:
			t.Errorf("ended with %v, want it to wait", attr(t, r, "err"))
		case <-time.After(long):
			e2e.Figure(t, "worker -silence=-1s: still waiting", long)
		}
	})
	t.Run("after", func(t *testing.T) {
		t.Parallel()
		l := start(t, worker{silence: 3 * ping, least: time.Second, most: 30 * time.Second})
		within(t, "session", 5*time.Second, l.sessions)
		time.Sleep(5*ping + ping/2)
		labtest.Need(t, l.Cable.Cut())
		ended := within(t, "verdict", 10*time.Second, l.ends)
		labtest.Need(t, l.Cable.Heal())
		silent := ended.Time.Sub(time.UnixMicro(l.heard.Load()))
		if err := attr(t, ended, "err").(error); !errors.As(err, new(*liveness.Error)) {
			t.Errorf("ended with %v, want a *liveness.Error", err)
		}
		if silent < 3*ping-slack || silent > 3*ping+slack {
			t.Errorf("noticed %v after the last message, want 3 s, at most 3.5 s", silent)
		}
		again := within(t, "session", 10*time.Second, l.sessions).Time.Sub(ended.Time)
		if again > time.Second+slack {
			t.Errorf("a new session %v later, want within 1 s", again)
		}
		if got, least := seconds(t, ended, "session_duration_secs"), 8*ping; got < least || got > least+time.Second+slack {
			t.Errorf("session_duration_secs is %v, want a little more than %v", got, least)
		}
		e2e.Figure(t, "worker: idle timeout of three pings a second apart, counted from the last message", silent)
		e2e.Figure(t, "worker: from then to a new session", again)
	})
}

// TestBackoff has a proxy that flaps, then works for longer than the timeout, then is
// silent from the start.
func TestBackoff(t *testing.T) {
	t.Parallel()
	const flap, least, most = 200 * time.Millisecond, 50 * time.Millisecond, 1600 * time.Millisecond
	lives := make([]time.Duration, 10, 12)
	for i := range lives {
		lives[i] = flap
	}
	l := start(t, worker{silence: 3 * ping, least: least, most: most}, append(lives, 9*ping/2, -flap)...)
	limit := least // of the next wait
	for i := range 12 {
		within(t, "session", 5*time.Second, l.sessions)
		ended := within(t, "end", 10*time.Second, l.ends)
		duration, active, next := seconds(t, ended, "session_duration_secs"), seconds(t, ended, "active_secs"), seconds(t, ended, "next_in_secs")
		t.Logf("session_duration_secs %v, active_secs %v, next_in_secs %v", duration, active, next)
		switch err := attr(t, ended, "err").(error); {
		case i < 10 && (websocket.CloseStatus(err) != websocket.StatusGoingAway || duration < flap || duration > flap+slack):
			t.Errorf("session %d ended with %v after %v, want a clean close after %v", i, err, duration, flap)
		case i == 10:
			if active <= 3*ping {
				t.Errorf("session %d was active for %v, want more than %v", i, active, 3*ping)
			}
			limit = least
		case i == 11 && (duration <= 3*ping || active > flap+slack || !errors.As(err, new(*liveness.Error))):
			t.Errorf("session %d ended with %v after %v, active %v, want the idle timeout after 3 s", i, err, duration, active)
		}
		if next < limit/2-time.Millisecond || next > limit+time.Millisecond {
			t.Errorf("after session %d a wait of %v, want from %v to %v", i, next, limit/2, limit)
		}
		limit = min(2*limit, most)
	}
	within(t, "session", 5*time.Second, l.sessions)
}

// TestLoopback runs worker and proxy in one program, with pings ten times as fast.
func TestLoopback(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, labtest.NewHost(t), "-ping=100ms")
	for i := range 5 {
		p.Wait(t, 10*time.Second, `level=INFO msg="connected and registered"`)
		line, _ := p.Wait(t, 10*time.Second, `level=WARN msg="session ended" session_duration_secs=0.`)
		if silent := strings.Contains(line, "liveness: peer silent for 3"); silent != (i == 0) {
			t.Errorf("session %d: %s", i, line)
		}
	}
	p.Wait(t, 10*time.Second, "connected and registered")
}
