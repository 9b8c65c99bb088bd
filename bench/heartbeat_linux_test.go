package bench

import (
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/liveness"
)

// deadlined is what most people write by hand: a deadline before each Read. It asks the
// peer nothing, so it ends a healthy idle connection.
type deadlined struct {
	net.Conn
	idle time.Duration
}

func (c deadlined) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// ticking is what others write: a goroutine that pings at each tick, and ends the
// connection after a long silence.
type ticking struct {
	net.Conn
	last atomic.Int64
	done chan struct{}
}

func newTicking(c net.Conn, idle time.Duration) *ticking {
	t := &ticking{Conn: c, done: make(chan struct{})}
	t.last.Store(time.Now().UnixNano())
	go func() {
		ticker := time.NewTicker(idle)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				if now.UnixNano()-t.last.Load() > int64(2*idle) {
					t.Conn.Close()
					return
				}
				t.Conn.Write([]byte{'p'})
			case <-t.done:
				return
			}
		}
	}()
	return t
}

func (t *ticking) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if n > 0 {
		t.last.Store(time.Now().UnixNano())
	}
	return n, err
}

func (t *ticking) Close() error {
	close(t.done)
	return t.Conn.Close()
}

// touched has a Monitor.
type touched struct {
	net.Conn
	m *liveness.Monitor
}

func newTouched(c net.Conn, idle time.Duration) touched {
	m := &liveness.Monitor{
		Idle:    idle,
		Timeout: idle,
		Probe:   func() error { _, err := c.Write([]byte{'p'}); return err },
		Dead:    func(error) { c.Close() },
	}
	m.Start()
	return touched{c, m}
}

func (t touched) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if n > 0 {
		t.m.Touch()
	}
	return n, err
}

func (t touched) Close() error {
	t.m.Stop()
	return t.Conn.Close()
}

// watchers have the defaults of yamux, 30 s.
var watchers = []struct {
	by    string
	watch func(net.Conn) net.Conn
}{
	{"none", func(c net.Conn) net.Conn { return c }},
	{"Monitor", func(c net.Conn) net.Conn { return newTouched(c, 10*idle) }},
	{"deadline", func(c net.Conn) net.Conn { return deadlined{c, 10 * idle} }},
	{"ticker", func(c net.Conn) net.Conn { return newTicking(c, 10*idle) }},
}

// BenchmarkRead reads a byte that is already there. That is the cheapest Read, so what
// a watcher adds weighs most. A read of yamux is not comparable, since it takes from a
// buffer.
func BenchmarkRead(b *testing.B) {
	var all []labtest.Way
	for _, w := range watchers {
		near, far := labtest.Pair(b, "tcp4", false)
		c := w.watch(near)
		defer c.Close()
		read := func() {
			var p [1]byte
			if n, err := c.Read(p[:]); n != 1 {
				b.Fatal(err)
			}
		}
		all = append(all, labtest.Way{Name: "by=" + w.by, Do: func(n int) time.Duration {
			if _, err := far.Write(make([]byte, n)); err != nil {
				b.Fatal(err)
			}
			start := time.Now()
			for range n {
				read()
			}
			return time.Since(start)
		}})
	}
	labtest.Turns(b, 500, all)
}

// BenchmarkIdle measures what an idle connection costs: bytes of heap and stacks, and
// goroutines, including the one in Read.
func BenchmarkIdle(b *testing.B) {
	const n = 1000
	run := func(by string, start func(net.Conn) io.Closer) {
		b.Run("by="+by, func(b *testing.B) {
			all := make([]net.Conn, n)
			for i := range all {
				all[i], _ = labtest.Pair(b, "tcp4", false)
			}
			bytes, goroutines := inUse() // It measures once, whatever b.N.
			closers := make([]io.Closer, n)
			for i, c := range all {
				closers[i] = start(c)
			}
			time.Sleep(100 * time.Millisecond) // Until all are in Read.
			b2, g2 := inUse()
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(b2-bytes)/n, "B/conn")
			b.ReportMetric(float64(g2-goroutines)/n, "goroutines/conn")
			for _, c := range closers {
				c.Close()
			}
		})
	}
	for _, w := range watchers {
		run(w.by, func(c net.Conn) io.Closer {
			c = w.watch(c)
			go func() {
				p := make([]byte, 1)
				for {
					if _, err := c.Read(p); err != nil {
						return
					}
				}
			}()
			return c
		})
	}
	run("yamux", func(c net.Conn) io.Closer {
		config := yamux.DefaultConfig()
		config.LogOutput = io.Discard
		s, err := yamux.Client(c, config)
		if err != nil {
			b.Fatal(err)
		}
		return s
	})
}

func inUse() (bytes, goroutines int64) {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc + s.StackInuse), int64(runtime.NumGoroutine())
}
