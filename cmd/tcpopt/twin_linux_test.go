package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// A situation is what two connections over one cable have been through when set
// is told to change one of them. The other is its twin.
type situation struct {
	name string
	old  string        // idle/interval/count[/user timeout] in seconds; "": keepalive is off
	past past          // the state of both
	cut  int           // the cable is cut until so many probes are unanswered; 0: it is not
	wait time.Duration // then, or without a cut, both are silent for so long
	heal healing
	args string // of set
	says string // what set must print; "" for anything
	done bool   // set must do all of it, and exit with status 0
	many bool   // multipath TCP, of one path

	lab     labtest.Lab
	program *labtest.Process
	us      *twin
	twin    *twin
	outcome string
}

// A past is how a connection got where it is.
type past string

const (
	idle      past = "idle"
	inFlight  past = "in flight"  // a byte was written after the cut
	shutPeer  past = "shut"       // the peer reads nothing
	closeWait past = "CLOSE_WAIT" // the peer has closed its side
	finWait   past = "FIN_WAIT2"  // we have closed ours
	synSent   past = "SYN_SENT"   // the cable is cut all the time
	turnedOff past = "turned off" // keepalive was on until the end of the cut
)

// A healing is when the cable is whole again.
type healing time.Duration

const (
	before healing = 0  // before set starts
	lost   healing = -1 // once the first packet since set has started is lost
	never  healing = -2
)

// A twin is one of the connections.
type twin struct {
	fd    int
	local netip.AddrPort
	far   net.Conn
}

func (w *twin) info() *unix.TCPInfo {
	i, err := unix.GetsockoptTCPInfo(w.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		panic(err)
	}
	return i
}

func (w *twin) ended() bool { return w.info().State == unix.BPF_TCP_CLOSE }

func (w *twin) heard() time.Time {
	i := w.info()
	return time.Now().Add(-time.Duration(min(i.Last_data_recv, i.Last_ack_recv)) * time.Millisecond)
}

// sound reports whether something came since then, and nothing is unanswered.
func (w *twin) sound(since time.Time) bool {
	i := w.info()
	return i.State != unix.BPF_TCP_SYN_SENT && i.Probes == 0 && i.Unacked == 0 && w.heard().After(since)
}

// randomSituation has a past and a change that nobody has thought of. Of an outage
// that goes on for a while only what has probes out is spared: the others may end by
// what they are set to.
func randomSituation(r *rand.Rand) *situation {
	a := &situation{past: []past{idle, idle, idle, idle, closeWait, finWait}[r.IntN(6)], heal: []healing{before, before, lost}[r.IntN(3)]}
	if r.IntN(4) > 0 {
		first, interval, count := 1+r.IntN(4), 1+r.IntN(5), 2+r.IntN(9)
		a.old = fmt.Sprintf("%d/%d/%d", first, interval, count)
		for a.cut = r.IntN(min(count, 6)); first+(a.cut-1)*interval > 12; {
			a.cut--
		}
		if r.IntN(3) == 0 {
			a.old += fmt.Sprintf("/%d", first+a.cut*interval+1+r.IntN(9))
		}
	}
	switch {
	case a.cut == 0 && r.IntN(5) == 0:
		a.past = inFlight
		fallthrough
	case a.cut == 0:
		a.wait = time.Duration(r.IntN(9000)) * time.Millisecond
	case r.IntN(2) == 0:
		a.heal = healing(1+r.IntN(9000)) * healing(time.Millisecond)
	case r.IntN(6) == 0 && a.heal == before:
		a.past = turnedOff
	}
	for a.args = randomChange(r); a.heal == lost && a.narrow(); {
		a.args = randomChange(r)
	}
	return a
}

// narrow reports whether what is to be set has no room for a lost probe at any time.
func (a *situation) narrow() bool {
	var r request
	var flags flag.FlagSet
	r.flags(&flags)
	if err := flags.Parse(append([]string{"-suspect"}, strings.Fields(a.args)...)); err != nil {
		panic(err)
	}
	if err := r.check(); err != nil {
		panic(err)
	}
	c := r.change.on(parseOld(a.old))
	return c.KeepAlive == tcpopt.On && probesLeft(c, 0) < 2
}

func randomChange(r *rand.Rand) string {
	choose := func(all ...string) string { return all[r.IntN(len(all))] }
	seconds := func(least, most int) string { return strconv.Itoa(least+r.IntN(most-least+1)) + "s" }
	switch r.IntN(4) {
	case 0:
		return "-within " + seconds(3, 9) + choose("", " -no-user-timeout")
	case 1:
		return "-user-timeout " + choose("0", "300ms", seconds(1, 20))
	}
	args := "-on"
	for _, flag := range []string{" -idle " + seconds(1, 5), " -interval " + seconds(1, 5), " -count " + strconv.Itoa(2+r.IntN(9)), " -user-timeout " + seconds(4, 20)} {
		if r.IntN(2) == 0 {
			args += flag
		}
	}
	return args
}

// parseOld parses idle/interval/count[/user timeout].
func parseOld(s string) (c tcpopt.Config) {
	if s == "" {
		return c
	}
	var n [4]int
	for i, field := range strings.Split(s, "/") {
		var err error
		if n[i], err = strconv.Atoi(field); err != nil {
			panic(err)
		}
	}
	return tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Duration(n[0]) * time.Second, Interval: time.Duration(n[1]) * time.Second,
		Count: n[2], UserTimeout: time.Duration(n[3]) * time.Second}
}

// situations are all of them. The kernel counts in seconds; these are as short as
// can be.
func situations() (all []*situation) {
	const s = time.Second
	add := func(group string, a ...situation) {
		for _, a := range a {
			a.name = strings.TrimSpace(group + " " + a.name)
			all = append(all, &a)
		}
	}
	add("just after an outage:",
		situation{name: "within", old: "2/2/9", cut: 3, args: "-within 6s", done: true},
		situation{name: "user timeout", old: "4/4/9", cut: 1, args: "-user-timeout 6s", done: true},
		situation{name: "within without user timeout", old: "2/2/9", cut: 3, args: "-within 30s -no-user-timeout", done: true},
		situation{name: "count", old: "2/2/9", cut: 3, args: "-count 3", done: true},
		situation{name: "idle", old: "1/1/9", cut: 3, args: "-idle 3s", done: true},
		situation{name: "interval", old: "1/1/9", cut: 3, args: "-interval 3s", done: true},
		situation{name: "idle, interval and count", old: "1/1/9", cut: 2, args: "-idle 2s -interval 1s -count 2", done: true},
		situation{name: "on", old: "1/1/9", cut: 3, args: "-on", done: true},
		situation{name: "off", old: "1/1/9", cut: 3, args: "-off", done: true},
		situation{name: "on again", old: "1/1/9", past: turnedOff, cut: 3, args: "-on -count 3", done: true},
		situation{name: "longer", old: "1/1/9", cut: 2, args: "-idle 4s -interval 2s -count 10", done: true},
		situation{name: "longer user timeout", old: "1/1/9/6", cut: 2, args: "-user-timeout 20s", done: true},
		situation{name: "shorter user timeout", old: "1/1/9/20", cut: 3, args: "-user-timeout 2s", done: true},
		situation{name: "no more user timeout", old: "1/1/3/20", cut: 5, args: "-user-timeout 0", done: true},
		situation{name: "rare probes", old: "1/6/9", cut: 1, args: "-within 3s", done: true},
		situation{name: "rare probes and a user timeout", old: "1/6/9/5", cut: 1, args: "-within 3s", done: true},
		situation{name: "rare probes, two out", old: "1/6/9", cut: 2, args: "-count 2", done: true},
		situation{name: "the last probe is out", old: "1/6/2", cut: 2, args: "-interval 5s", done: true})
	for n := range 9 {
		add("probes out:", situation{name: strconv.Itoa(n), old: "1/1/10", cut: n, args: "-within 3s", done: true},
			situation{name: strconv.Itoa(n) + ", one more lost", old: "1/1/12", cut: n, heal: lost, args: "-count 2", done: n < 6})
	}
	for _, silence := range []time.Duration{1500, 3 * s / time.Millisecond, 4500, 5700, 6300, 9000} {
		silence *= time.Millisecond
		name := silence.String()
		add("silent, one lost:",
			situation{name: name + ", keepalive off", wait: silence, heal: lost, args: "-within 6s", done: true},
			situation{name: name + ", keepalive far off", old: "100/75/9", wait: silence, heal: lost, args: "-within 6s"},
			situation{name: name + ", user timeout", old: "100/75/9/60", wait: silence, heal: lost, args: "-idle 3s -interval 1s -user-timeout 6s"})
	}
	add("silent, one lost:",
		situation{name: "an answered probe before, rare probes", old: "1/5/5", wait: 1700 * time.Millisecond, heal: lost, args: "-within 3s", done: true},
		situation{name: "on again", old: "3/1/9", past: turnedOff, wait: 2700 * time.Millisecond, heal: lost, args: "-on -user-timeout 6s", done: true})
	add("silent for long:",
		situation{name: "within", wait: 12 * s, args: "-within 3s", done: true},
		situation{name: "user timeout", wait: 9 * s, args: "-user-timeout 50ms", done: true},
		situation{name: "on", wait: 9 * s, args: "-on -idle 1s -interval 1s -count 3", done: true},
		situation{name: "on, one lost", wait: 5 * s, heal: lost, args: "-on -idle 1s -interval 1s -count 2", done: true},
		situation{name: "keepalive far off", old: "100/75/9", wait: 9 * s, args: "-within 3s", done: true},
		situation{name: "keepalive far off, no user timeout", old: "100/75/9", wait: 9 * s, args: "-within 3s -no-user-timeout", done: true})
	add("the outage goes on:",
		situation{name: "for a second", old: "1/1/9", cut: 2, heal: healing(s), args: "-within 3s", done: true},
		situation{name: "for a second, the last probe is out", old: "1/4/2", cut: 2, heal: healing(s), args: "-within 3s"},
		situation{name: "for a second, one probe is left", old: "1/4/3", cut: 2, heal: healing(s), args: "-within 3s"},
		situation{name: "for two, keepalive off", wait: 5 * s, heal: healing(2 * s), args: "-within 9s"},
		situation{name: "for six", old: "1/4/4", cut: 2, heal: healing(6 * s), args: "-count 2"},
		situation{name: "until the last probe", old: "1/4/4", cut: 3, heal: healing(3500 * time.Millisecond), args: "-count 2"},
		situation{name: "until the last probe but one", old: "1/4/4", cut: 2, heal: healing(7500 * time.Millisecond), args: "-within 3s"},
		situation{name: "until the last probe, user timeout", old: "1/4/9/11", cut: 2, heal: healing(3500 * time.Millisecond), args: "-within 3s"},
		situation{name: "beyond the first probe", old: "6/5/2", wait: 4 * s, heal: healing(5 * s), args: "-within 3s"})
	for _, old := range []string{"", "1/1/12"} {
		on := "keepalive " + onOff(old != "") + ", "
		add("data in flight:",
			situation{name: on + "within", old: old, past: inFlight, wait: 4 * s, args: "-within 3s"},
			situation{name: on + "user timeout", old: old, past: inFlight, wait: 4 * s, args: "-user-timeout 2s"},
			situation{name: on + "no user timeout", old: old, past: inFlight, wait: 4 * s, args: "-within 3s -no-user-timeout", done: true},
			situation{name: on + "one lost", old: old, past: inFlight, wait: 2 * s, heal: lost, args: "-within 3s"})
		add("the peer reads nothing:",
			situation{name: on + "within", old: old, past: shutPeer, wait: s, args: "-within 3s"},
			situation{name: on + "no user timeout", old: old, past: shutPeer, wait: s, args: "-within 3s -no-user-timeout", done: true})
		add("not connected yet:",
			situation{name: on + "within", old: old, past: synSent, wait: 4 * s, heal: healing(s), args: "-within 3s"},
			situation{name: on + "user timeout", old: old, past: synSent, wait: 2 * s, heal: healing(s / 2), args: "-user-timeout 1s"})
	}
	add("multipath TCP:",
		situation{name: "count", old: "1/1/9", many: true, cut: 3, args: "-count 3", done: true},
		situation{name: "rare probes", old: "1/6/9", many: true, cut: 2, args: "-within 3s -no-user-timeout", done: true},
		situation{name: "silent for long, one lost", many: true, wait: 3 * s, heal: lost, args: "-on -idle 1s -interval 1s -count 2", done: true},
		situation{name: "dead", old: "1/1/40", many: true, cut: 3, heal: never, args: "-count 3"})
	for _, half := range []past{closeWait, finWait} {
		add("half closed:",
			situation{name: "just after an outage", old: "1/1/9", past: half, cut: 3, args: "-within 3s", done: true},
			situation{name: "silent for long", past: half, wait: 4 * s, args: "-within 3s", done: true},
			situation{name: "silent, one lost", past: half, wait: 3 * s, heal: lost, args: "-within 3s", done: true})
	}
	add("dead:",
		situation{name: "keepalive off", wait: s, heal: never, args: "-within 3s", done: true},
		situation{name: "keepalive off, silent for long", wait: 8 * s, heal: never, args: "-within 4s", done: true},
		situation{name: "keepalive off, on", wait: 3 * s, heal: never, args: "-on -idle 1s -interval 1s -count 3", done: true},
		situation{name: "keepalive far off, silent", old: "100/75/9", wait: s, heal: never, args: "-within 5s", done: true},
		situation{name: "keepalive far off, silent for long", old: "100/75/9", wait: 8 * s, heal: never, args: "-within 4s"},
		situation{name: "probes out", old: "1/1/40", cut: 3, heal: never, args: "-within 4s"},
		situation{name: "data in flight", past: inFlight, wait: 2 * s, heal: never, args: "-within 3s"},
		situation{name: "not connected yet", past: synSent, wait: 2 * s, heal: never, args: "-within 3s"},
		situation{name: "CLOSE_WAIT", past: closeWait, wait: 2 * s, heal: never, args: "-within 3s", done: true},
		situation{name: "FIN_WAIT2", past: finWait, wait: 2 * s, heal: never, args: "-within 3s", done: true})
	return all
}

var twinsProgram = labtest.NewProgram("twins", connectTwins)

// connectTwins connects some times, says by which descriptors and from where, and waits
// for the end of its input.
func connectTwins() int {
	var flags flag.FlagSet
	to := flags.String("to", "", "address")
	n := flags.Int("n", 2, "how often")
	protocol := unix.IPPROTO_TCP
	flags.BoolFunc("mptcp", "", func(string) error { protocol = unix.IPPROTO_MPTCP; return nil })
	traceable(&flags)
	flags.Parse(os.Args[1:])
	address, err := netip.ParseAddrPort(*to)
	for range *n {
		fd := -1
		if err == nil {
			fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, protocol)
		}
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()})
		}
		if err == unix.EINPROGRESS {
			err = nil
		}
		var name unix.Sockaddr
		if err == nil {
			name, err = unix.Getsockname(fd)
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		in4 := name.(*unix.SockaddrInet4)
		fmt.Println(fd, netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), uint16(in4.Port)))
	}
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// connect makes both connections of a, and what of its past is not silence.
func (a *situation) connect(t *testing.T) {
	t.Helper()
	a.lab = labtest.NewLab(t)
	l := labtest.Listen(t, a.lab.Far, netip.AddrPortFrom(a.lab.Far.IPv4, 0).String(), a.many)
	if a.past == synSent {
		labtest.Need(t, a.lab.Cable.Cut())
	}
	args := []string{"-traceable", "-to", l.Addr().String()}
	if a.many {
		args = append(args, "-mptcp")
	}
	a.program = start(t, twinsProgram.Command(args...), a.lab.Near.Start)
	pidfd, err := unix.PidfdOpen(a.program.Process.Pid, 0)
	labtest.Need(t, err)
	defer unix.Close(pidfd)
	fars := map[string]net.Conn{}
	for range 2 {
		w := &twin{}
		var fd int
		if line := a.program.Line(t); scan(line, &fd, &w.local) != nil {
			t.Fatalf("the program said %q", line)
		}
		w.fd, err = unix.PidfdGetfd(pidfd, fd, 0)
		labtest.Need(t, err)
		t.Cleanup(func() { unix.Close(w.fd) })
		labtest.Need(t, tcpopt.FromFD(uintptr(w.fd)).SetConfig(parseOld(a.old)))
		a.us, a.twin = a.twin, w
		if a.past == synSent {
			continue
		}
		c, err := l.Accept()
		labtest.Need(t, err)
		t.Cleanup(func() { c.Close() })
		fars[c.RemoteAddr().String()] = c
	}
	for _, w := range []*twin{a.us, a.twin} {
		w.far = fars[w.local.String()]
		switch a.past {
		case closeWait:
			labtest.Need(t, w.far.(*net.TCPConn).CloseWrite())
		case finWait:
			labtest.Need(t, unix.Shutdown(w.fd, unix.SHUT_WR))
		case shutPeer:
			for b := make([]byte, 1<<16); w.info().Snd_wnd > 0 || w.info().Unacked > 0; time.Sleep(time.Millisecond) {
				unix.Write(w.fd, b) // Until it would block.
			}
		}
	}
}

func scan(line string, fd *int, local *netip.AddrPort) (err error) {
	number, address, _ := strings.Cut(line, " ")
	if *fd, err = strconv.Atoi(number); err == nil {
		*local, err = netip.ParseAddrPort(address)
	}
	return err
}

// live lets a happen, and returns what is wrong.
func (a *situation) live(ctx context.Context) error {
	both := []*twin{a.us, a.twin}
	if a.past != synSent && a.past != shutPeer {
		for _, w := range both { // Their silence starts.
			if a.past != closeWait {
				if _, err := w.far.Write([]byte{1}); err != nil {
					return err
				}
			}
		}
		for _, w := range both {
			for want := a.state(); w.info().State != want || w.info().Unacked > 0; time.Sleep(time.Millisecond) {
				if ctx.Err() != nil {
					return fmt.Errorf("state is %d, want %d", w.info().State, want)
				}
			}
		}
	}
	if a.cut > 0 || a.past == inFlight {
		if err := a.lab.Cable.Cut(); err != nil {
			return err
		}
	}
	for _, w := range both {
		if a.past == inFlight {
			if _, err := unix.Write(w.fd, []byte{1}); err != nil {
				return err
			}
		}
	}
	start := time.Now()
	for _, w := range both {
		for int(w.info().Probes) < a.cut && !w.ended() {
			if time.Sleep(time.Millisecond); ctx.Err() != nil {
				return fmt.Errorf("probes are %d, want %d", w.info().Probes, a.cut)
			}
		}
		if a.past == turnedOff {
			if err := tcpopt.FromFD(uintptr(w.fd)).SetKeepAlive(false); err != nil {
				return err
			}
		}
	}
	time.Sleep(a.wait - time.Since(start))
	return a.change(ctx)
}

func (a *situation) state() uint8 {
	switch a.past {
	case closeWait:
		return unix.BPF_TCP_CLOSE_WAIT
	case finWait:
		return unix.BPF_TCP_FIN_WAIT2
	}
	return unix.BPF_TCP_ESTABLISHED
}

// change heals the cable and calls set, then looks what becomes of both.
func (a *situation) change(ctx context.Context) error {
	cable := a.lab.Cable.Heal
	if a.heal != before {
		cable = a.lab.Cable.Cut
	}
	if err := cable(); err != nil {
		return err
	}
	more, slow := false, false // More packets than one were lost; it was whole too late for set.
	silent, probes := max(0, time.Since(a.us.heard())), a.us.info().Probes
	sent := a.us.info().Segs_out
	cmd := theCommand.Command(append([]string{"set", "-pid", a.program.PID(), "-local", a.us.local.String()}, strings.Fields(a.args)...)...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()

	healed := make(chan error, 1)
	go func() {
		switch a.heal {
		case before, never:
			healed <- nil
			return
		case lost:
			for a.us.info().Segs_out == sent && !a.us.ended() && time.Since(start) < 15*time.Second {
				time.Sleep(time.Millisecond)
			}
		default:
			time.Sleep(time.Duration(a.heal))
		}
		err := a.lab.Cable.Heal()
		more, slow = a.heal == lost && a.us.info().Segs_out > sent+1, time.Since(start) > 2*time.Second
		healed <- err
	}()
	<-exited
	took := time.Since(start)
	if err := <-healed; err != nil {
		return err
	}
	report, status := out.String(), cmd.ProcessState.ExitCode()
	since := time.Now() // Of the later of both.
	now, err := tcpopt.FromFD(uintptr(a.us.fd)).Config()
	if err != nil {
		return err
	}
	var fate, twins string
	if a.heal == never {
		fate, err = a.watchDead(now, start, report)
	} else {
		fate, twins = a.watch(a.us, since), "–"
		if fate == "ended" {
			twins = a.watch(a.twin, since)
		}
	}
	a.outcome = fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%.1fs\t%s\t%d\t%.1fs\t%s\t%s\t%s\n", a.name, cmp.Or(a.old, "off"), cmp.Or(a.past, idle), a.healed(),
		probes, silent.Seconds(), a.args, status, took.Seconds(), fate, twins, verdictOf(report))
	switch {
	case fate == "ended" && twins != "ended" && !more:
		err = fmt.Errorf("it ended and its twin lives")
	case a.says != "" && !strings.Contains(report, a.says):
		err = fmt.Errorf("set does not say %q", a.says)
	case a.done && status != 0 && !more && !slow:
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return fmt.Errorf("%w; silent for %v with %d probes out; set %s said\n%s", err, silent, probes, a.args, report)
	}
	return nil
}

func (a *situation) healed() string {
	switch a.heal {
	case before:
		return "before"
	case lost:
		return "one lost"
	case never:
		return "never"
	}
	return "after " + time.Duration(a.heal).String()
}

// verdictOf is the line of a report that says what was not done, or what was.
func verdictOf(report string) string {
	last := ""
	for _, line := range strings.Split(report, "\n") {
		switch {
		case strings.HasPrefix(line, "  before"), strings.HasPrefix(line, "  restore"), !strings.HasPrefix(line, "  "):
		default:
			last = strings.TrimSpace(line)
		}
	}
	return last
}

// watch waits until w has ended, or has heard from its peer and cannot end any
// more, or had the time to end.
func (a *situation) watch(w *twin, since time.Time) string {
	c, err := tcpopt.FromFD(uintptr(w.fd)).Config()
	if err != nil {
		panic(err)
	}
	limit := max(c.Interval, 2*time.Second)
	if c.UserTimeout != tcpopt.Unbounded {
		limit = max(limit, c.UserTimeout)
	}
	limit = late(min(limit, 6*time.Second)) + 1500*time.Millisecond
	for ; time.Since(since) < limit; time.Sleep(2 * time.Millisecond) {
		switch {
		case w.ended():
			return "ended"
		case a.past != shutPeer && w.sound(since):
			return "lives, heard"
		}
	}
	return "lives"
}

// watchDead waits until a connection ends whose peer is dead: within the time that
// it has now from when it was set, unless set says that it may not.
func (a *situation) watchDead(now tcpopt.Config, start time.Time, report string) (string, error) {
	idle, busy := now.DetectionTime()
	d := idle
	if a.past == inFlight || a.past == synSent {
		d = busy
	}
	for _, why := range excuses {
		if strings.Contains(report, why) {
			return "left", nil
		}
	}
	if d > time.Minute {
		return "left", fmt.Errorf("it does not notice before %v, and set does not say why", d)
	}
	for limit := late(d) + 2*time.Second; !a.us.ended(); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > limit {
			return "lives", fmt.Errorf("it has not ended after %v", limit)
		}
	}
	return fmt.Sprintf("noticed after %.1fs", time.Since(start).Seconds()), nil
}

// excuses are what set says if a dead peer will not be noticed in time.
var excuses = []string{"left alone", "skipped"}

// TestFaultTwin changes connections in all situations and compares each with its
// twin. TCPOPT_TWINS names a file for the table, which then has random ones too.
func TestFaultTwin(t *testing.T) {
	needsTaking(t) // Not beside others: an ls looks into all of its namespaces.
	all := situations()
	if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP); err != nil {
		t.Logf("no multipath TCP on this kernel: %v", err)
		all = slices.DeleteFunc(all, func(a *situation) bool { return a.many })
	} else {
		unix.Close(fd)
	}
	file := os.Getenv("TCPOPT_TWINS")
	if file != "" {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		for r := rand.New(rand.NewPCG(seed, 0)); len(all) < 200; {
			a := randomSituation(r)
			a.name = fmt.Sprintf("random %d", len(all))
			all = append(all, a)
		}
	}
	for _, a := range all {
		a.connect(t)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for _, a := range all {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := a.live(ctx); err != nil {
				t.Errorf("%s: %v", a.name, err)
			}
		}()
	}
	wg.Wait()
	if file != "" {
		table := "situation\told\tpast\tcable whole\tprobes\tsilence\tset\tstatus\ttook\tconnection\ttwin\treport\n"
		for _, a := range all {
			table += a.outcome
		}
		labtest.Need(t, os.WriteFile(file, []byte(table), 0o666))
	}
}
