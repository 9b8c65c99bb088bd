package liveness_test

import (
	"io"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/liveness"
)

func idleMonitor() *liveness.Monitor {
	return &liveness.Monitor{Idle: time.Hour, Timeout: time.Hour, Probe: noProbe, Dead: noVerdict}
}

func noProbe() error  { return nil }
func noVerdict(error) {}

// TestTouchAllocs is I10.
func TestTouchAllocs(t *testing.T) {
	m := idleMonitor()
	m.Start()
	defer m.Stop()
	if n := testing.AllocsPerRun(1000, m.Touch); n != 0 {
		t.Errorf("Touch allocates %v times, want 0", n)
	}
}

// TestFootprint has many Monitors with nothing due. They cost little memory and no
// goroutine.
func TestFootprint(t *testing.T) {
	const n = 100_000
	goroutines := runtime.NumGoroutine()
	per, stop := footprint(n)
	if now := runtime.NumGoroutine(); now > goroutines {
		t.Errorf("%d goroutines, %d before", now, goroutines)
	}
	stop()
	if per > 256 {
		t.Errorf("%.0f bytes per Monitor, want at most 256", per)
	}
}

// footprint starts n Monitors and returns the bytes that each takes.
func footprint(n int) (per float64, stop func()) {
	all := make([]*liveness.Monitor, n)
	before := inUse()
	for i := range all {
		all[i] = idleMonitor()
		all[i].Start()
	}
	per = float64(inUse()-before) / float64(n)
	return per, func() {
		for _, m := range all {
			m.Stop()
		}
	}
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc + s.StackInuse
}

func BenchmarkTouch(b *testing.B) {
	m := idleMonitor()
	m.Start()
	defer m.Stop()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		m.Touch()
	}
}

// BenchmarkTouchParallel has all processors touch one Monitor, or each its own.
func BenchmarkTouchParallel(b *testing.B) {
	for name, one := range map[string]bool{"one": true, "own": false} {
		b.Run(name, func(b *testing.B) {
			shared := idleMonitor()
			shared.Start()
			defer shared.Stop()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				m := shared
				if !one {
					m = idleMonitor()
					m.Start()
					defer m.Stop()
				}
				for pb.Next() {
					m.Touch()
				}
			})
		})
	}
}

// BenchmarkMemory reports the bytes of an idle Monitor among a million.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		per, stop := footprint(1_000_000)
		b.ReportMetric(per, "B/Monitor")
		stop()
	}
}

func BenchmarkStartStop(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		m := idleMonitor()
		m.Start()
		m.Stop()
	}
}

// BenchmarkRound is a whole round: the timer fires, the probe is answered. There are
// enough Monitors for a timer to be always due.
func BenchmarkRound(b *testing.B) {
	c, _ := labtest.Pair(b, "tcp4", false)
	s, err := tcpopt.FromConn(c)
	if err != nil {
		b.Fatal(err)
	}
	for name, progress := range map[string]func() (tcpopt.Progress, error){"plain": nil, "Progress": s.Progress} {
		b.Run(name, func(b *testing.B) {
			var n atomic.Int64
			done := make(chan struct{})
			var all [64]liveness.Monitor
			b.ReportAllocs()
			b.ResetTimer()
			for i := range all {
				m := &all[i]
				m.Idle, m.Timeout, m.Progress, m.Dead = time.Microsecond, time.Hour, progress, noVerdict
				m.Probe = func() error {
					switch rounds := n.Add(1); {
					case rounds < int64(b.N):
						m.Touch()
					case rounds == int64(b.N):
						close(done)
					}
					return nil
				}
				m.Start()
			}
			<-done
			for i := range all {
				all[i].Stop()
			}
		})
	}
}

// BenchmarkRead compares reads of 1 KiB with and without Touch, in turns, so that both
// see the same machine. It reports how much the median differs.
func BenchmarkRead(b *testing.B) {
	near, far := labtest.Pair(b, "tcp4", false)
	go io.Copy(far, zeros{})
	m := idleMonitor()
	m.Start()
	defer m.Stop()
	buf := make([]byte, 1024)
	round := func(touch bool) time.Duration {
		start := time.Now()
		for range 200 {
			if _, err := io.ReadFull(near, buf); err != nil {
				b.Fatal(err)
			}
			if touch {
				m.Touch()
			}
		}
		return time.Since(start) / 200
	}
	var plain, touched []time.Duration
	for range b.N {
		plain = append(plain, round(false))
		touched = append(touched, round(true))
	}
	slices.Sort(plain)
	slices.Sort(touched)
	p, q := plain[len(plain)/2], touched[len(touched)/2]
	b.ReportMetric(float64(p), "ns/plain")
	b.ReportMetric(float64(q), "ns/touched")
	b.ReportMetric(100*(float64(q)/float64(p)-1), "%more")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
