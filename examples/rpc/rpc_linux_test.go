package main

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt/examples/internal/e2e"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

func TestMain(m *testing.M) { e2e.Main(m, main) }

// The first two are the program's defaults.
const (
	idleTime  = time.Second
	replyTime = 2 * time.Second
	early     = 200 * time.Millisecond // the last acknowledgment before the look, and late printing
	slack     = time.Second            // for a busy machine
)

// start starts the server, and a client that uploads at 1 Mbit/s if slow.
func start(t *testing.T, l labtest.Lab, slow bool, args ...string) *e2e.Program {
	t.Helper()
	if slow {
		labtest.Need(t, l.Cable.Slow(l.Near, 125000, 50000))
	}
	address := netip.AddrPortFrom(l.Far.IPv4, 1234).String()
	e2e.Start(t, l.Far, "-serve", address).Wait(t, 10*time.Second, "listening")
	return e2e.Start(t, l.Near, append(args, "-connect", address)...)
}

// next waits for the next line, which must start with begin.
func next(t *testing.T, p *e2e.Program, atMost time.Duration, begin string) (string, time.Time) {
	t.Helper()
	line, at := p.Wait(t, atMost, "")
	if !strings.HasPrefix(line, begin) {
		t.Fatalf("it says %q, want %q", line, begin)
	}
	return line, at
}

func wantBetween(t *testing.T, what string, got, least, most time.Duration) {
	t.Helper()
	if got < least || got > most {
		t.Errorf("%s: %v, want from %v to %v", what, got, least, most)
	}
}

// TestUpload uploads 2 MB at 1 Mbit/s. That is too slow for the short timer, unless it
// looks at Progress.
func TestUpload(t *testing.T) {
	t.Parallel()
	for i := range 3 {
		t.Run(fmt.Sprintf("run %d", i), func(t *testing.T) {
			t.Parallel()
			p := start(t, labtest.NewLab(t), true)
			_, began := next(t, p, 10*time.Second, "uploading")
			_, done := next(t, p, 60*time.Second, "uploaded")
			wantBetween(t, "the upload", done.Sub(began), 15*time.Second, 25*time.Second)
			e2e.Figure(t, "rpc: upload of 2 MB at 1 Mbit/s, no false alarm in three runs", done.Sub(began))
			if line, _ := next(t, p, 20*time.Second, "busy"); !strings.HasSuffix(line, ", 0 do-nothing calls") {
				t.Errorf("%s, want none", line)
			}
			if line, _ := next(t, p, 20*time.Second, "quiet"); strings.HasSuffix(line, ", 0 do-nothing calls") {
				t.Errorf("%s, want some", line)
			}
			next(t, p, 10*time.Second, "answered")
		})
	}
	t.Run("without Progress", func(t *testing.T) {
		t.Parallel()
		p := start(t, labtest.NewLab(t), true, "-progress=false")
		for range 2 {
			_, began := next(t, p, 10*time.Second, "uploading")
			_, lost := next(t, p, 60*time.Second, "lost: liveness: peer silent")
			wantBetween(t, "the false alarm", lost.Sub(began), replyTime, idleTime+replyTime+slack)
			e2e.Figure(t, "rpc -progress=false: false alarm in that upload", lost.Sub(began))
		}
	})
	t.Run("cut", func(t *testing.T) {
		t.Parallel()
		l := labtest.NewLab(t)
		p := start(t, l, true)
		next(t, p, 10*time.Second, "uploading")
		p.Silent(t, 5*time.Second, "")
		labtest.Need(t, l.Cable.Cut())
		cut := time.Now()
		_, lost := next(t, p, 60*time.Second, "lost: liveness: peer silent")
		// It looks every Idle, so it sees the last acknowledgment at most an Idle late.
		wantBetween(t, "the loss", lost.Sub(cut), replyTime-idleTime-early, idleTime+replyTime+slack)
		e2e.Figure(t, "rpc: cut in that upload", lost.Sub(cut))
		labtest.Need(t, l.Cable.Heal())
		next(t, p, 10*time.Second, "uploading")
		next(t, p, 60*time.Second, "uploaded")
	})
}

// TestForgotten has a NAT router that forgets after 3 s of silence.
func TestForgotten(t *testing.T) {
	t.Parallel()
	const forget = 3 * time.Second
	for name, run := range map[string]func(t *testing.T, begin func(args ...string) *e2e.Program){
		"before": func(t *testing.T, begin func(...string) *e2e.Program) {
			const long = 10 * (idleTime + replyTime)
			p := begin("-idle=0", "-rest=6s")
			next(t, p, 10*time.Second, "quiet")
			p.Silent(t, long, "")
			e2e.Figure(t, "rpc -idle=0: still waiting, forgotten by a NAT router", long)
		},
		"kept": func(t *testing.T, begin func(...string) *e2e.Program) {
			p := begin("-rest=12s")
			next(t, p, 20*time.Second, "quiet")
			next(t, p, 10*time.Second, "answered")
		},
		"found": func(t *testing.T, begin func(...string) *e2e.Program) {
			const idle = 6 * time.Second // too long
			p := begin("-idle", idle.String(), "-rest=12s")
			quiet := time.Now()
			_, lost := next(t, p, 20*time.Second, "lost: liveness: peer silent")
			wantBetween(t, "the loss", lost.Sub(quiet), idle*7/8+replyTime-early-slack/2, idle+replyTime+slack)
			e2e.Figure(t, "rpc -idle=6s: forgotten by a NAT router, counted from the last call", lost.Sub(quiet))
			next(t, p, 10*time.Second, "uploading")
			next(t, p, 10*time.Second, "uploaded")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := labtest.NewLab(t)
			labtest.Need(t, l.Cable.Masquerade(l.Near, forget))
			run(t, func(args ...string) *e2e.Program {
				// A small upload: during a long one the router might forget a slow machine.
				p := start(t, l, false, append(args, "-upload=1000")...)
				next(t, p, 10*time.Second, "uploading")
				next(t, p, 10*time.Second, "uploaded")
				next(t, p, 20*time.Second, "busy")
				return p
			})
		})
	}
}

// TestLoopback runs client and server in one program.
func TestLoopback(t *testing.T) {
	t.Parallel()
	p := e2e.Start(t, labtest.NewHost(t), "-rest=1s")
	next(t, p, 10*time.Second, "listening")
	_, began := next(t, p, 10*time.Second, "uploading")
	_, done := next(t, p, 60*time.Second, "uploaded")
	wantBetween(t, "the upload", done.Sub(began), 12*time.Second, 30*time.Second)
	next(t, p, 10*time.Second, "busy")
	next(t, p, 10*time.Second, "quiet")
	next(t, p, 10*time.Second, "answered")
}
