// Command worker waits for jobs from a proxy, over a WebSocket. The proxy pings. When
// the worker has heard nothing for the time of three pings, it takes the connection for
// dead, says so and connects again.
//
//	go run ./worker                          worker and proxy, on this machine
//	go run ./worker -serve :8080             the proxy alone
//	go run ./worker -connect ws://host:8080/ the worker alone
//
// What to look at when both run: the first session falls silent after 4.5 s, its
// connection still open, and the worker leaves it 3 s later. Three close after 0.2 s,
// and the backoff grows. The next works for 4.5 s, and the backoff starts over. Over a
// network, cut the cable. With -silence=-1s the worker waits forever, as most do.
package main

import (
	"cmp"
	"context"
	"flag"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/coder/websocket"

	"github.com/tcpopt/tcpopt/liveness"
)

func main() {
	serve := flag.String("serve", "", "be the proxy at this `address`")
	connect := flag.String("connect", "", "be a worker of the proxy at this `URL`")
	ping := flag.Duration("ping", time.Second, "time between two pings of the proxy")
	silence := flag.Duration("silence", 0, "leave a proxy that is silent for this long (0: three pings, negative: wait forever)")
	flag.Parse()

	p := &proxy{ping: *ping}
	if *serve != "" {
		log.Fatal(http.ListenAndServe(*serve, p))
	}
	if *connect == "" {
		p.lives = []time.Duration{-*ping * 9 / 2, *ping / 5, *ping / 5, *ping / 5, *ping * 9 / 2}
		*connect = httptest.NewServer(p).URL
	}
	w := worker{*connect, cmp.Or(*silence, 3**ping), time.Second, 30 * time.Second, nil, slog.New(slog.NewTextHandler(os.Stdout, nil))}
	w.run(context.Background())
}

type worker struct {
	url                  string
	silence, least, most time.Duration // least and most are limits of the backoff
	http                 *http.Client  // nil: the default
	log                  *slog.Logger
}

// run runs one session after another until ctx is done.
func (w *worker) run(ctx context.Context) {
	// Each wait is random, from half its limit to all of it.
	wait := &backoff.ExponentialBackOff{InitialInterval: w.least * 3 / 4, MaxInterval: w.most * 3 / 4, Multiplier: 2, RandomizationFactor: 1. / 3}
	secs := func(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
	for ctx.Err() == nil {
		start := time.Now()
		last, err := w.session(ctx)
		// How long the session was useful: up to the last message. One that was dead
		// from the start also took as long as w.silence.
		active := max(0, last.Sub(start))
		if active > w.silence {
			wait.Reset()
		}
		next := wait.NextBackOff()
		w.log.Warn("session ended", "session_duration_secs", secs(time.Since(start)),
			"active_secs", secs(active), "next_in_secs", secs(next), "err", err)
		select {
		case <-time.After(next):
		case <-ctx.Done():
		}
	}
}

// session connects, registers and works until the connection is lost, and returns when
// it last heard from the proxy.
func (w *worker) session(ctx context.Context) (last time.Time, err error) {
	ctx, end := context.WithCancelCause(ctx) // end ends all that waits for the connection.
	m := &liveness.Monitor{Idle: w.silence, Dead: end}
	if w.silence > 0 {
		m.Start()
	}
	defer func() {
		m.Stop()
		last, err = m.Last(), cmp.Or(context.Cause(ctx), err)
		end(nil)
	}()
	c, _, err := websocket.Dial(ctx, w.url, &websocket.DialOptions{
		HTTPClient:     w.http,
		OnPingReceived: func(context.Context, []byte) bool { m.Touch(); return true },
	})
	if err != nil {
		return last, err
	}
	defer c.CloseNow()
	for {
		_, message, err := c.Read(ctx)
		if err != nil {
			return last, err
		}
		m.Touch() // Before the work.
		if string(message) == "registered" {
			w.log.Info("connected and registered", "url", w.url)
		}
	}
}

// A proxy registers workers and pings them.
type proxy struct {
	ping     time.Duration
	lives    []time.Duration // of the first sessions; a negative one ends in silence
	sessions atomic.Int32
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lasts := time.Duration(1 << 62)
	if n := int(p.sessions.Add(1)); n <= len(p.lives) {
		lasts = p.lives[n-1]
	}
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	connected := c.CloseRead(r.Context())
	err = c.Write(connected, websocket.MessageText, []byte("registered"))
	for end := time.Now().Add(max(lasts, -lasts)); err == nil && time.Now().Before(end); {
		select {
		case <-time.After(min(p.ping, time.Until(end))):
			late, cancel := context.WithTimeout(connected, 3*p.ping) // The proxy waits for three pings, too.
			err = c.Ping(late)
			cancel()
		case <-connected.Done():
			return
		}
	}
	if lasts < 0 && err == nil {
		<-connected.Done()
	}
	c.Close(websocket.StatusGoingAway, "")
}
