package main

import (
	"testing"
	"time"

	"github.com/tcpopt/tcpopt/examples/internal/e2e"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

func TestMain(m *testing.M) { e2e.Main(m, main) }

// TestCut compares the two on a cut cable. How long φ takes depends on how regular the
// heartbeats are: it is 8 after an interval and 5.61 deviations, of at least 100 ms
// each.
func TestCut(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	e2e.Start(t, l.Far, "-serve", ":7000", "-every", "500ms").Wait(t, 10*time.Second, "heartbeats")
	p := e2e.Start(t, l.Near, "-connect", l.Far.IPv4.String()+":7000", "-every", "500ms", "-fixed", "3s", "-stop")
	for range 30 {
		p.Wait(t, 10*time.Second, "φ = ")
	}
	if err := l.Cable.Cut(); err != nil {
		t.Fatal(err)
	}
	cut := time.Now()
	_, at := p.Wait(t, 10*time.Second, "φ of 8 suspects")
	e2e.Figure(t, "phi: φ of 8, a heartbeat each 0.5 s", at.Sub(cut))
	if took := at.Sub(cut); took < 300*time.Millisecond || took > 3*time.Second {
		t.Errorf("φ is 8 after %v", took)
	}
	_, at = p.Wait(t, 10*time.Second, "the fixed timeout of 3s suspects")
	e2e.Figure(t, "phi: fixed timeout of 3 s", at.Sub(cut))
	if took := at.Sub(cut); took < 2*time.Second || took > 5*time.Second {
		t.Errorf("the fixed timeout is over after %v", took)
	}
}
