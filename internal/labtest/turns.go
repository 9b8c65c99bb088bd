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
	Call func()                    // what is timed
	Do   func(n int) time.Duration // or this, which does it n times and says what that took
}

// Turns times the ways in turns, each in slices of n, so short that whatever else
// the machine does falls on few of them. Then it has a sub-benchmark for each, which
// reports the median of its slices and, of a Call, what one allocates. With -short
// the slices are few.
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
	runtime.Gosched()  // A slice is not to be cut short by the scheduler's.
	for range n / 10 { // Nor to begin with what the other ways left in the caches.
		w.Call()
	}
	start := time.Now()
	for range n {
		w.Call()
	}
	return time.Since(start)
}
