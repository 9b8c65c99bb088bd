package liveness_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
	"github.com/tcpopt/tcpopt/liveness"
)

// All tests of real links have these times.
const (
	idle    = 1 * time.Second
	timeout = 2 * time.Second
	early   = 100 * time.Millisecond // the peer's last sign of life is older than the event
	slack   = 500 * time.Millisecond // for a busy machine
)

// serve answers each p with a P, a b with more than all buffers hold, and swallows
// everything else.
func serve(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 1<<16)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte{'b'}) {
			go c.Write(make([]byte, 32<<20))
		}
		if n := bytes.Count(buf[:n], []byte{'p'}); n > 0 {
			if _, err := c.Write(bytes.Repeat([]byte{'P'}, n)); err != nil {
				return
			}
		}
	}
}

// accept serves all connections.
func accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go serve(c)
	}
}

// listen listens on h, or here if h is nil, and serves all connections.
func listen(t *testing.T, h *netlab.Host, ip netip.Addr, secure bool) (address string) {
	t.Helper()
	l := labtest.Listen(t, h, netip.AddrPortFrom(ip, 0).String(), false)
	go accept(maybeSecure(l, secure))
	return l.Addr().String()
}

func maybeSecure(l net.Listener, secure bool) net.Listener {
	if secure {
		return tls.NewListener(l, labtest.ServerTLS())
	}
	return l
}

// server serves on an address, with TLS or without.
var server = labtest.NewProgram("server", func() int {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(l.Addr())
	accept(maybeSecure(l, os.Args[2] == "true"))
	return 0
})

// watcher watches a connection to an address, with Progress or without it.
var watcher = labtest.NewProgram("watcher", func() int {
	c, err := net.Dial("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	w := newWatched(c, os.Args[2] == "true")
	w.Start()
	fmt.Println("started")
	io.Copy(io.Discard, os.Stdin) // Until the test has seen enough.
	if w.Stop() {
		fmt.Println("alive")
	} else {
		fmt.Println(w.verdict().err)
	}
	return 0
})

type verdict struct {
	at  time.Time
	err error
}

// A watched connection has a Monitor and a reader that touches it.
type watched struct {
	liveness.Monitor
	conn   net.Conn
	read   sync.Mutex // held: the reader is blocked
	probes atomic.Int32
	dead   chan verdict
}

func newWatched(c net.Conn, progress bool) *watched {
	w := &watched{conn: c, dead: make(chan verdict, 2)}
	w.Idle, w.Timeout = idle, timeout
	w.Probe = func() error {
		w.probes.Add(1)
		_, err := c.Write([]byte{'p'})
		return err
	}
	if progress {
		s, err := tcpopt.FromConn(c)
		if err != nil {
			panic(err)
		}
		w.Progress = s.Progress
	}
	w.Dead = func(err error) { w.dead <- verdict{time.Now(), err} }
	go func() {
		buf := make([]byte, 1024)
		for {
			w.read.Lock()
			w.read.Unlock() //lint:ignore SA2001 It waits.
			if _, err := c.Read(buf); err != nil {
				return
			}
			w.Touch()
		}
	}()
	return w
}

func (w *watched) verdict() verdict { return <-w.dead }

// alive fails the test if there is a verdict within d.
func (w *watched) alive(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case v := <-w.dead:
		t.Fatalf("%v after %d probes, want alive", v.err, w.probes.Load())
	case <-time.After(d):
	}
}

// wantDead waits for the verdict and checks it and how long the peer was silent.
func (w *watched) wantDead(t *testing.T, reason liveness.Reason, least, most time.Duration) verdict {
	t.Helper()
	select {
	case v := <-w.dead:
		e, ok := asType[*liveness.Error](v.err)
		if !ok || e.Reason != reason || e.Silent < least || e.Silent > most {
			t.Errorf("dead of %v, want of %v after %v to %v", v.err, reason, least, most)
		}
		t.Logf("dead of %v", v.err)
		return v
	case <-time.After(most + 10*time.Second):
		t.Fatal("alive, want dead")
		panic("unreachable")
	}
}

// A link is a lab with a watched connection. If the peer will be frozen, it has its own
// process.
type link struct {
	labtest.Lab
	*watched
	peer     *labtest.Process
	progress bool
}

func newLink(t *testing.T, progress, secure, apart bool) *link {
	t.Helper()
	l := &link{Lab: labtest.NewLab(t), progress: progress}
	var address string
	if apart {
		cmd := server.Command(netip.AddrPortFrom(l.Far.IPv4, 0).String(), fmt.Sprint(secure))
		l.peer = labtest.Start(t, cmd, l.Far.Start)
		t.Cleanup(func() { l.peer.Process.Kill() }) // Frozen, it does not see the end of its input.
		address = l.peer.Line(t)
	} else {
		address = listen(t, l.Far, l.Far.IPv4, secure)
	}
	l.watched = newWatched(dial(t, l.Near, address, secure), progress)
	return l
}

func dial(t *testing.T, h *netlab.Host, address string, secure bool) net.Conn {
	t.Helper()
	c := labtest.Dial(t, h, address, false)
	if !secure {
		return c
	}
	s := tls.Client(c, labtest.ClientTLS())
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
	return s
}

// bulk writes n bytes at once.
func (w *watched) bulk(n int) { go w.conn.Write(make([]byte, n)) }

const (
	slow  = 125000 // bytes per second: 1 Mbit/s
	queue = 50000
)

// TestLink checks the verdicts of a Monitor on real links, with and without Progress,
// and with and without TLS.
func TestLink(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		freeze bool // freeze the peer
		only   bool // the row makes no sense without Progress
		run    func(t *testing.T, l *link)
	}{
		{"slow and busy", false, false, func(t *testing.T, l *link) {
			if err := l.Cable.Slow(l.Near, slow, queue); err != nil {
				t.Fatal(err)
			}
			l.Start()
			l.bulk(2e6)
			if !l.progress {
				l.wantDead(t, liveness.NoProgress, idle*7/8+timeout, idle+timeout+slack) // Falsely.
				return
			}
			l.alive(t, 25*time.Second)
			if n := l.probes.Load(); n < 5 {
				t.Errorf("%d probes in 25 s, want some before and some after the 16 s that the data takes", n)
			}
			t.Logf("alive for 25 s, %d probes", l.probes.Load())
		}},
		{"slow, busy and cut", false, true, func(t *testing.T, l *link) {
			if err := l.Cable.Slow(l.Near, slow, queue); err != nil {
				t.Fatal(err)
			}
			l.Start()
			l.bulk(2e6)
			l.alive(t, 5*time.Second)
			cut := time.Now()
			if err := l.Cable.Cut(); err != nil {
				t.Fatal(err)
			}
			v := l.wantDead(t, liveness.NoProgress, 5*time.Second, 9*time.Second)
			wantBetween(t, "time from the cut", v.at.Sub(cut), timeout-idle-early, idle+timeout+slack)
			t.Logf("%v after the cut", v.at.Sub(cut))
		}},
		{"busy and cut", false, false, func(t *testing.T, l *link) {
			l.Start()
			l.alive(t, 3*time.Second)
			cut := time.Now()
			if err := l.Cable.Cut(); err != nil {
				t.Fatal(err)
			}
			l.bulk(1e7)
			v := l.wantDead(t, liveness.NoProgress, idle*7/8+timeout, idle+timeout+slack)
			wantBetween(t, "time from the cut", v.at.Sub(cut), timeout-early, idle+timeout+slack)
		}},
		{"idle and cut", false, false, func(t *testing.T, l *link) {
			l.Start()
			l.alive(t, 3*time.Second)
			cut := time.Now()
			if err := l.Cable.Cut(); err != nil {
				t.Fatal(err)
			}
			reason := liveness.NoReply // As far as known.
			if l.progress {
				reason = liveness.NoProgress
			}
			v := l.wantDead(t, reason, idle*7/8+timeout, idle+timeout+slack)
			wantBetween(t, "time from the cut", v.at.Sub(cut), timeout-early, idle+timeout+slack)
		}},
		{"frozen", true, false, func(t *testing.T, l *link) {
			l.Start()
			l.alive(t, 3*time.Second)
			l.freeze(t)
			l.wantDead(t, liveness.NoReply, idle*7/8+timeout, idle+timeout+slack)
		}},
		{"frozen, and Probe waits for the answer", true, true, func(t *testing.T, l *link) {
			l.wait(t)
			l.Start()
			l.alive(t, 3*time.Second)
			l.freeze(t)
			// The look after Idle sees that the probe was acknowledged.
			l.wantDead(t, liveness.NoReply, idle*7/8+timeout, idle+idle+timeout+slack)
		}},
		{"cut, and Probe waits for the answer", false, true, func(t *testing.T, l *link) {
			l.wait(t)
			l.Start()
			l.alive(t, 3*time.Second)
			if err := l.Cable.Cut(); err != nil {
				t.Fatal(err)
			}
			l.wantDead(t, liveness.NoProgress, idle*7/8+timeout, idle+timeout+slack)
		}},
		{"frozen under trickling writes", true, false, func(t *testing.T, l *link) {
			l.Start()
			go func() {
				for {
					if _, err := l.conn.Write(make([]byte, 100)); err != nil {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			}()
			l.alive(t, 3*time.Second)
			l.freeze(t)
			most := idle + timeout + slack
			if l.progress {
				most += idle // If a write was under way at the time of the probe.
			}
			l.wantDead(t, liveness.NoReply, idle*7/8+timeout, most)
		}},
		{"own reader blocked", false, false, func(t *testing.T, l *link) { l.block(t, "") }},
		{"own reader blocked, buffers full", false, false, func(t *testing.T, l *link) { l.block(t, "b") }},
		{"own reader blocked, then peer frozen", true, true, func(t *testing.T, l *link) {
			l.block(t, "b")
			l.freeze(t)
			l.wantDead(t, liveness.NoReply, idle*7/8+timeout-early, idle+2*timeout+slack)
		}},
	} {
		for _, secure := range []bool{false, true} {
			for _, progress := range []bool{false, true} {
				if tt.only && !progress {
					continue
				}
				t.Run(fmt.Sprintf("%s, TLS %v, Progress %v", tt.name, secure, progress), func(t *testing.T) {
					t.Parallel()
					l := newLink(t, progress, secure, tt.freeze)
					defer l.Stop()
					tt.run(t, l)
				})
			}
		}
	}
}

// wait has Probe wait for the answer.
func (l *link) wait(t *testing.T) {
	write := l.Probe
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	l.Probe = func() error {
		asked := time.Now()
		if err := write(); err != nil {
			return err
		}
		for !l.Last().After(asked) {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(10 * time.Millisecond):
			}
		}
		return nil
	}
}

// block blocks the reader of a healthy connection after sending this.
func (l *link) block(t *testing.T, send string) {
	l.Start()
	l.alive(t, time.Second)
	l.read.Lock()
	_, err := io.WriteString(l.conn, send)
	labtest.Need(t, err)
	if l.progress {
		l.alive(t, 10*time.Second)
		l.read.Unlock()
		l.alive(t, 2*time.Second)
	} else {
		l.wantDead(t, liveness.NoReply, idle*7/8+timeout, idle+timeout+slack) // Falsely.
		l.read.Unlock()
	}
}

func (l *link) freeze(t *testing.T) {
	t.Helper()
	if err := l.peer.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// TestLinkStopped stops our own process for 6 s. When it continues, all its timers are
// late and nothing has been read yet.
func TestLinkStopped(t *testing.T) {
	t.Parallel()
	for _, progress := range []bool{false, true} {
		t.Run(fmt.Sprint("Progress ", progress), func(t *testing.T) {
			t.Parallel()
			l := labtest.NewLab(t)
			address := listen(t, l.Far, l.Far.IPv4, false)
			self := labtest.Start(t, watcher.Command(address, fmt.Sprint(progress)), l.Near.Start)
			self.Line(t)
			for range 2 { // In whichever state it is.
				time.Sleep(2300 * time.Millisecond)
				if err := self.Process.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
				time.Sleep(6 * time.Second)
				if err := self.Process.Signal(syscall.SIGCONT); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(4 * time.Second)
			self.In.Close()
			if got := self.Line(t); got != "alive" {
				t.Errorf("%s, want alive", got)
			}
		})
	}
}

// TestLinkProxy has a proxy in the middle. The counters describe the proxy, which takes
// and acknowledges everything. So the missing answer shows a dead peer behind it, but a
// slow link behind it looks dead, too.
func TestLinkProxy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		run  func(t *testing.T, w *watched, far *netlab.Cable, middle *netlab.Host)
	}{
		{"cut behind it", func(t *testing.T, w *watched, far *netlab.Cable, _ *netlab.Host) {
			s, err := tcpopt.FromConn(w.conn)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.SetConfig(tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: time.Second, Count: 1, UserTimeout: time.Second}); err != nil {
				t.Fatal(err)
			}
			w.Start()
			w.alive(t, 3*time.Second)
			if err := far.Cut(); err != nil {
				t.Fatal(err)
			}
			w.wantDead(t, liveness.NoReply, idle*7/8+timeout, idle+timeout+slack)
			if p, err := s.Progress(); err != nil || p.Aborted || p.Pending > 0 || p.Probes > 0 {
				t.Errorf("Progress() = %+v, %v, want all well as far as the kernel knows", p, err)
			}
		}},
		{"busy and cut behind it", func(t *testing.T, w *watched, far *netlab.Cable, _ *netlab.Host) {
			w.Start()
			w.alive(t, 3*time.Second)
			if err := far.Cut(); err != nil {
				t.Fatal(err)
			}
			w.bulk(1e6) // The proxy takes it.
			w.wantDead(t, liveness.NoReply, idle*7/8+timeout, idle+timeout+idle+slack)
		}},
		{"slow behind it", func(t *testing.T, w *watched, far *netlab.Cable, middle *netlab.Host) {
			if err := far.Slow(middle, slow, queue); err != nil {
				t.Fatal(err)
			}
			w.Start()
			w.bulk(2e6)
			w.wantDead(t, liveness.NoReply, idle*7/8+timeout, idle+timeout+idle+slack) // Falsely.
		}},
	} {
		for _, progress := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, Progress %v", tt.name, progress), func(t *testing.T) {
				t.Parallel()
				near, middle, far := labtest.NewHost(t), labtest.NewHost(t), labtest.NewHost(t)
				labtest.NewCable(t, near, middle)
				cable := labtest.NewCable(t, middle, far)
				ahead := dial(t, middle, listen(t, far, far.IPv4, false), false)
				proxy := labtest.Listen(t, middle, netip.AddrPortFrom(middle.IPv4, 0).String(), false)
				go relay(proxy, ahead)
				w := newWatched(dial(t, near, proxy.Addr().String(), false), progress)
				defer w.Stop()
				tt.run(t, w, cable, middle)
			})
		}
	}
}

// relay is a proxy for one connection, which takes everything.
func relay(l net.Listener, ahead net.Conn) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	go io.Copy(c, ahead)
	taken := make(chan []byte, 1<<14) // A socket's buffers alone may be too small.
	defer close(taken)
	go func() {
		for b := range taken {
			ahead.Write(b)
		}
	}()
	for {
		b := make([]byte, 1<<12)
		n, err := c.Read(b)
		if err != nil {
			return
		}
		taken <- b[:n]
	}
}
