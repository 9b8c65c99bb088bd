package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// The dialers and listeners set the same options on each connection, except none, which
// leaves the system's defaults. Multipath TCP is left out: it makes every accept
// slower, however the options are set.
var (
	dialers = []struct {
		by     string
		dialer net.Dialer
	}{
		{"none", net.Dialer{KeepAlive: -1}},
		{"net", net.Dialer{KeepAliveConfig: wanted}},
		{"raw", net.Dialer{KeepAlive: -1, Control: func(_, _ string, rc syscall.RawConn) (err error) {
			return errors.Join(rc.Control(func(fd uintptr) { err = rawSetConfig(int(fd)) }), err)
		}}},
		{"tcpopt", net.Dialer{KeepAlive: -1, Control: config.DialControl}},
	}
	listeners = []struct {
		by     string
		listen net.ListenConfig
		then   func(net.Listener) net.Listener
	}{
		{"none", net.ListenConfig{KeepAlive: -1}, nil},
		{"ListenControl", net.ListenConfig{KeepAlive: -1, Control: config.ListenControl}, nil},
		{"NewListener", net.ListenConfig{KeepAlive: -1}, func(l net.Listener) net.Listener {
			return tcpopt.NewListener(l, config, nil)
		}},
		{"net", net.ListenConfig{KeepAliveConfig: wanted}, nil},
		{"net-default", net.ListenConfig{}, nil},
	}
)

func listen(t testing.TB, i int) net.Listener {
	t.Helper()
	lc := listeners[i].listen
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	labtest.Need(t, err)
	t.Cleanup(func() { l.Close() })
	if then := listeners[i].then; then != nil {
		l = then(l)
	}
	return l
}

// BenchmarkDial dials and closes.
func BenchmarkDial(b *testing.B) {
	l := listen(b, 0)
	go func() {
		for last := net.Conn(nil); ; {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if last != nil { // The other end is closed by now.
				abort(last)
			}
			last = c
		}
	}()
	var all []labtest.Way
	for _, d := range dialers {
		all = append(all, labtest.Way{Name: "by=" + d.by, Call: func() {
			c, err := d.dialer.Dial("tcp4", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			abort(c)
		}})
	}
	labtest.Turns(b, 10, all)
}

// abort leaves no TIME_WAIT behind. A machine has room for only some 28,000.
func abort(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// clients opens as many connections to an address as a line of its input says, and
// answers when they wait to be accepted. A negative number closes the newest.
var clients = labtest.NewProgram("clients", func() int {
	d := net.Dialer{KeepAlive: -1}
	var all []net.Conn
	for in := bufio.NewScanner(os.Stdin); in.Scan(); fmt.Println("done") {
		address, number, _ := strings.Cut(in.Text(), " ")
		n, err := strconv.Atoi(number)
		for range n {
			var c net.Conn
			if c, err = d.Dial("tcp4", address); err != nil {
				break
			}
			all = append(all, c)
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		for range -n {
			abort(all[len(all)-1])
			all = all[:len(all)-1]
		}
	}
	return 0
})

// BenchmarkAccept accepts connections that already wait, while others are open.
func BenchmarkAccept(b *testing.B) {
	p := labtest.Start(b, clients.Command(), (*exec.Cmd).Start)
	accept := func(l net.Listener, n int) (all []net.Conn, took time.Duration) {
		ask(b, p, l.Addr().String(), n)
		all = make([]net.Conn, n)
		start := time.Now()
		for i := range all {
			c, err := l.Accept()
			if err != nil {
				b.Fatal(err)
			}
			all[i] = c
		}
		return all, time.Since(start)
	}
	var held []net.Conn
	defer func() {
		for _, c := range held {
			abort(c)
		}
	}()
	keeper := listen(b, 0)
	for _, open := range []int{1, 100, 10_000} {
		for len(held) < open {
			more, _ := accept(keeper, min(100, open-len(held)))
			held = append(held, more...)
		}
		var ways []labtest.Way
		for i := range listeners {
			l := listen(b, i)
			ways = append(ways, labtest.Way{
				Name: fmt.Sprintf("open=%d/by=%s", open, listeners[i].by),
				Do: func(n int) time.Duration {
					all, took := accept(l, n)
					for _, c := range all {
						abort(c)
					}
					ask(b, p, l.Addr().String(), -n)
					return took
				},
			})
		}
		labtest.Turns(b, 20, ways)
	}
}

func ask(t testing.TB, p *labtest.Process, address string, n int) {
	t.Helper()
	p.Ask(t, address+" "+strconv.Itoa(n))
	if said := p.Line(t); said != "done" {
		t.Fatal(said)
	}
}

// accepts is a server for strace(1), and marks where it begins to accept.
var accepts = labtest.NewProgram("accepts", func() int {
	i, _ := strconv.Atoi(os.Args[1])
	n, _ := strconv.Atoi(os.Args[2])
	lc := listeners[i].listen
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	if then := listeners[i].then; then != nil {
		l = then(l)
	}
	d := net.Dialer{KeepAlive: -1}
	var all []net.Conn
	for range n {
		c, err := d.Dial("tcp4", l.Addr().String())
		if err != nil {
			panic(err)
		}
		all = append(all, c)
	}
	unix.Chdir("/no such/begin")
	for range n {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		all = append(all, c)
	}
	unix.Chdir("/no such/end")
	if len(all) != 2*n { // All are open until now.
		return 1
	}
	return 0
})

// BenchmarkAcceptCalls counts the system calls of an accepted connection, not
// those of the runtime's own work.
func BenchmarkAcceptCalls(b *testing.B) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		b.Skip("no strace(1)")
	}
	exe, err := os.Executable()
	labtest.Need(b, err)
	for i := range listeners {
		b.Run("by="+listeners[i].by, func(b *testing.B) {
			const n = 50
			trace := filepath.Join(b.TempDir(), "trace")
			for range b.N {
				cmd := accepts.Command(strconv.Itoa(i), strconv.Itoa(n))
				args := []string{"-f", "-o", trace, "-e", "trace=%network,fcntl,epoll_ctl,chdir", exe}
				run := exec.Command(strace, append(args, cmd.Args[1:]...)...)
				run.Env, run.Stderr = cmd.Env, cmd.Stderr
				if err := run.Run(); err != nil {
					b.Fatal(err)
				}
			}
			out, err := os.ReadFile(trace)
			if err != nil {
				b.Fatal(err)
			}
			_, calls, _ := strings.Cut(string(out), "/no such/begin")
			calls, _, ok := strings.Cut(calls, "/no such/end")
			if !ok {
				b.Fatalf("no marks in the trace:\n%s", out)
			}
			all := 0
			for _, name := range []string{"accept4(", "setsockopt(", "getsockopt(", "getsockname(", "getpeername(", "epoll_ctl(", "fcntl("} {
				all += strings.Count(calls, name)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(all)/n, "calls/accept")
			b.ReportMetric(float64(strings.Count(calls, "SO_KEEPALIVE")+strings.Count(calls, "TCP_KEEP"))/n, "of-keepalive")
		})
	}
}

// TestServers checks that each sets the options that it should.
func TestServers(t *testing.T) {
	system, err := tcpopt.Defaults()
	labtest.Need(t, err)
	want := func(by string) tcpopt.Config {
		c := system
		switch by {
		case "none":
		case "net-default":
			c = tcpopt.ConfigFromNet(net.KeepAliveConfig{Enable: true})
		default:
			c = config
		}
		c.UserTimeout = system.UserTimeout
		return c
	}
	check := func(by string, c net.Conn) {
		s, err := tcpopt.FromConn(c)
		labtest.Need(t, err)
		if got, err := s.Config(); got != want(by) || err != nil {
			t.Errorf("by %s: %+v, %v; want %+v", by, got, err, want(by))
		}
	}
	for i := range listeners {
		l := listen(t, i)
		for _, d := range dialers {
			c, err := d.dialer.Dial("tcp4", l.Addr().String())
			labtest.Need(t, err)
			defer c.Close()
			check(d.by, c)
			accepted, err := l.Accept()
			labtest.Need(t, err)
			defer accepted.Close()
			check(listeners[i].by, accepted)
		}
	}
}
