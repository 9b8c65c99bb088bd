package labtest

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

// A Way is one of several ways to do something.
type Way struct {
	Name string
	Call func()                    // the call to time
	Do   func(n int) time.Duration // or a function that does it n times and returns how long that took
}

// Turns times the ways in turns, in slices of n calls, so short that other work of the
// machine falls on few of them. Then it runs a sub-benchmark for each way, which
// reports the median of its slices and the allocations of a Call. With -short there are
// few slices.
func Turns(b *testing.B, n int, ways []Way) {
	rounds := 201
	if testing.Short() {
		rounds = 3
	}
	took := make([][]time.Duration, len(ways))
	for range rounds {
		for i, w := range ways {
			took[i] = append(took[i], w.slice(n))
		}
	}
	for i, w := range ways {
		slices.Sort(took[i])
		b.Run(w.Name, func(b *testing.B) {
			b.ReportMetric(float64(took[i][rounds/2].Nanoseconds())/float64(n), "ns/op")
			if w.Call != nil {
				b.ReportMetric(testing.AllocsPerRun(100, w.Call), "allocs")
			}
		})
	}
}

func (w Way) slice(n int) time.Duration {
	if w.Do != nil {
		return w.Do(n)
	}
	runtime.Gosched()  // The scheduler should not interrupt a slice.
	for range n / 10 { // A slice should not begin with the other ways' caches.
		w.Call()
	}
	start := time.Now()
	for range n {
		w.Call()
	}
	return time.Since(start)
}
