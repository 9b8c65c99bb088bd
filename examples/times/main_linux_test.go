package main

import (
	"strings"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt/examples/internal/e2e"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

func TestMain(m *testing.M) { e2e.Main(m, main) }

// TestTimes checks what the program prints over loopback.
func TestTimes(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, labtest.NewHost(t))
	for _, want := range []string{
		"idle interval count a dead peer is noticed within",
		"package net 15s 15s 9 2m30s",
		"SetKeepAlivePeriod(30s) 30s 15s 9 2m45s",
		"tcpopt 30s 5s 4 50s",
	} {
		line, _ := p.Wait(t, 10*time.Second, "")
		if line = strings.Join(strings.Fields(line), " "); line != want {
			t.Errorf("printed %q, want %q", line, want)
		}
	}
}

// TestCut uses shorter times, on a cut cable.
func TestCut(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	e2e.Start(t, l.Far, "-serve", ":7000").Wait(t, 10*time.Second, "listening")
	p := e2e.Start(t, l.Near, "-connect", l.Far.IPv4.String()+":7000", "-idle", "3s", "-interval", "1s", "-count", "4")
	p.Wait(t, 10*time.Second, "7s")
	p.Wait(t, 10*time.Second, "cut the cable")
	if err := l.Cable.Cut(); err != nil {
		t.Fatal(err)
	}
	cut := time.Now()
	const want = 7 * time.Second
	line, at := p.Wait(t, 2*want, "lost")
	took := at.Sub(cut)
	e2e.Figure(t, "times: 3s + 4 × 1s", took)
	if !strings.HasPrefix(line, "tcpopt: ") || !strings.HasSuffix(line, "connection timed out (dead peer: true)") || took < want-want/4 {
		t.Errorf("after %v: %s, want 'tcpopt: lost', a dead peer, after %v", took, line, want)
	}
	p.Silent(t, time.Until(cut.Add(5*want)), "lost")
	e2e.Figure(t, "times: package net", time.Since(cut))
	e2e.Figure(t, "times: SetKeepAlivePeriod(3s)", time.Since(cut))
}
