package liveness_test

import (
	"os"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt/liveness"
)

// BenchmarkMonitors runs TCPOPT_MONITORS Monitors for two minutes, on silent
// connections whose peers answer each probe at once. Idle is 30 s, or 1 s with -short.
// They start spread over that time, as connections do.
//
//	TCPOPT_MONITORS=1000000 go test -run '^$' -bench Monitors -benchtime 1x ./liveness
func BenchmarkMonitors(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("TCPOPT_MONITORS"))
	if err != nil {
		b.Skip("TCPOPT_MONITORS is not a number of Monitors")
	}
	idle := 30 * time.Second
	if testing.Short() {
		idle = time.Second
	}
	for range b.N {
		var answered atomic.Int64
		before := inUse()
		all := make([]liveness.Monitor, n)
		start := time.Now()
		for i := range all {
			if i%1000 == 0 {
				time.Sleep(time.Until(start.Add(idle * time.Duration(i) / time.Duration(n))))
			}
			m := &all[i]
			m.Idle, m.Timeout, m.Dead = idle, idle, func(error) { b.Error("dead") }
			m.Probe = func() error { answered.Add(1); m.Touch(); return nil }
			m.Start()
		}
		per := float64(inUse()-before) / float64(n)
		answered.Store(0)
		cpu, begin := used(b), time.Now()
		time.Sleep(3 * idle)
		took, spent, probes := time.Since(begin), used(b)-cpu, answered.Load()
		pause := time.Duration(0)
		for range 10 {
			var s debug.GCStats
			inUse()
			debug.ReadGCStats(&s)
			pause = max(pause, s.Pause[0], s.Pause[1])
		}
		for i := range all {
			all[i].Stop()
		}
		if least := int64(n) * 2; probes < least {
			b.Errorf("%d probes, want at least %d", probes, least)
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(per, "B/Monitor")
		b.ReportMetric(100*float64(spent)/float64(took), "%CPU")
		b.ReportMetric(float64(spent.Nanoseconds())/float64(probes), "ns/probe")
		b.ReportMetric(float64(pause.Nanoseconds())/1e3, "worst-GC-pause-µs")
	}
}

// used returns the processor time of this process.
func used(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
