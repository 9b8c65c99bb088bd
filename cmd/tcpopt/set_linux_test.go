package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

var dialProgram = labtest.NewProgram("dial", dial)

// dial connects, writes or not, and prints when and how that ends.
func dial() int {
	var flags flag.FlagSet
	to := flags.String("to", "", "address")
	write := flags.Bool("write", false, "write for ever")
	traceable(&flags)
	flags.Parse(os.Args[1:])
	d := net.Dialer{KeepAlive: -1}
	d.SetMultipathTCP(false)
	c, err := d.Dial("tcp", *to)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("connected", c.LocalAddr())
	go func() { io.Copy(io.Discard, os.Stdin); os.Exit(0) }()
	if *write {
		for b := make([]byte, 1<<16); err == nil; {
			_, err = c.Write(b)
		}
	} else {
		_, err = c.Read(make([]byte, 1))
	}
	fmt.Println(tcpopt.IsDeadPeer(err), err)
	return 0
}

// has fails the test unless ls says of the socket what is wanted.
func has(t testing.TB, pid string, fd int, want map[string]any) {
	t.Helper()
	sockets, _ := list(t, "-pid", pid, "-listen")
	for _, s := range sockets {
		if s["fd"] == float64(fd) {
			for key, value := range want {
				if s[key] != value {
					t.Errorf("descriptor %d: %s is %v, want %v", fd, key, s[key], value)
				}
			}
			return
		}
	}
	t.Errorf("descriptor %d is not listed", fd)
}

// set is the command set, which succeeds.
func set(t testing.TB, args ...string) string {
	t.Helper()
	status, stdout, stderr := command(append([]string{"set"}, args...)...)
	if status != 0 || stderr != "" {
		t.Fatalf("set %q: status %d, stdout %q, stderr %q", args, status, stdout, stderr)
	}
	return stdout
}

func settingsOf(h held) map[string]any {
	return map[string]any{"enable": h.Enable, "idle_seconds": h.Idle, "interval_seconds": h.Interval, "count": h.Count, "user_timeout_seconds": h.Timeout}
}

func TestSet(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	r, all := hold(t, plainly, "-n", "2", "-special", "1")
	special, plain := all[1], all[3]
	fd := strconv.Itoa(plain.FD)
	one := []string{"-pid", r.PID(), "-fd", fd}

	out := set(t, append(one, "-within", "30s", "-dry-run")...)
	if !strings.Contains(out, "planned  on, idle 15s, interval 5s, count 3, user timeout 30s; a dead peer is noticed: idle 30s, busy 30s") {
		t.Errorf("dry run:\n%s", out)
	}
	has(t, r.PID(), plain.FD, settingsOf(plain))

	out = set(t, append(one, "-within", "30s")...)
	want := map[string]any{"enable": true, "idle_seconds": 15.0, "interval_seconds": 5.0, "count": 3.0, "user_timeout_seconds": 30.0, "detection_seconds": 30.0, "busy_seconds": 30.0}
	has(t, r.PID(), plain.FD, want)
	for _, words := range []string{
		"before   off (idle 2h, interval 75s, count 9), user timeout 0s; a dead peer is noticed: idle never, busy system",
		"after    on, idle 15s, interval 5s, count 3, user timeout 30s",
		"1 changed, 0 as wanted already, 0 ended, 0 not done or not fully",
		"until the program reconnects or sets its own",
	} {
		if !strings.Contains(out, words) {
			t.Errorf("no %q in\n%s", words, out)
		}
	}
	restore := regexp.MustCompile(`(?m)^  restore  tcpopt (set .*)$`).FindStringSubmatch(out)
	if restore == nil {
		t.Fatalf("no way to restore in\n%s", out)
	}
	again := set(t, append(one, "-within", "30s")...)
	if !strings.Contains(again, "nothing to change") || strings.Contains(again, "restore") || !strings.Contains(again, "0 changed, 1 as wanted already") {
		t.Errorf("again:\n%s", again)
	}
	if status, stdout, stderr := command(strings.Fields(restore[1])...); status != 0 || stderr != "" {
		t.Errorf("%s: status %d, stdout %q, stderr %q", restore[1], status, stdout, stderr)
	}
	has(t, r.PID(), plain.FD, settingsOf(plain))

	// A part, and nothing that was not asked for.
	out = set(t, "-pid", r.PID(), "-local", special.Local, "-idle", "40.5s", "-count", "5")
	after := settingsOf(special)
	after["idle_seconds"] = 41.0
	has(t, r.PID(), special.FD, after)
	if !strings.Contains(out, "-idle 31s\n") || strings.Contains(out, "-count") {
		t.Errorf("restoring more or less than was changed:\n%s", out)
	}
	set(t, "-pid", r.PID(), "-local", special.Local, "-user-timeout", "0")
	after["user_timeout_seconds"] = 0.0
	has(t, r.PID(), special.FD, after)
	set(t, "-pid", r.PID(), "-local", special.Local, "-off")
	after["enable"] = false
	has(t, r.PID(), special.FD, after)
	has(t, r.PID(), plain.FD, settingsOf(plain))

	// All but the listener, unless it is named.
	if out := set(t, "-pid", r.PID(), "-all", "-on"); !strings.HasSuffix(out, "new connections do not have it: -every changes those too.\n") {
		t.Errorf("printed\n%s", out)
	}
	has(t, r.PID(), all[0].FD, settingsOf(all[0]))
	has(t, r.PID(), plain.FD, map[string]any{"enable": true, "idle_seconds": plain.Idle})
	out = set(t, "-pid", r.PID(), "-fd", strconv.Itoa(all[0].FD), "-on", "-idle", "10s")
	if !strings.Contains(out, "\n  accepted new connections inherit this: 2 connections here had the same as the listener\n") ||
		!strings.HasSuffix(out, "\nA change of a listener lasts until the program listens again or sets its own.\n") {
		t.Errorf("printed\n%s", out)
	}
	has(t, r.PID(), all[0].FD, map[string]any{"enable": true, "idle_seconds": 10.0})

	for _, tt := range []struct {
		name, args, want string
		status           int
	}{
		{"another descriptor", "-pid " + r.PID() + " -fd 0 -on", "no TCP connection matches: descriptor 0 of process " + r.PID() + " is a pipe", 1},
		{"nobody's address", "-pid " + r.PID() + " -remote 192.0.2.1 -on", "no TCP connection matches", 1},
		{"no such process", "-pid 4194304 -all -on", "no such process", 1},
		{"no such command", "-name nobodyhasthis -all -on", "no process is named nobodyhasthis", 1},
	} {
		status, stdout, stderr := command(append([]string{"set"}, strings.Fields(tt.args)...)...)
		if status != tt.status || stdout != "" || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: status %d, stdout %q, stderr %q, want %d and %q", tt.name, status, stdout, stderr, tt.status, tt.want)
		}
	}
}

func TestSetMany(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	r, all := hold(t, plainly, "-n", "6")
	status, stdout, stderr := command("set", "-pid", r.PID(), "-all", "-on")
	if status != 2 || stdout != "" || !strings.Contains(stderr, "12 sockets would change: more than 10 need -yes") {
		t.Errorf("status %d, stdout %q, stderr %q, want 2", status, stdout, stderr)
	}
	for _, h := range all {
		has(t, r.PID(), h.FD, settingsOf(h))
	}
	set(t, "-pid", r.PID(), "-all", "-on", "-dry-run")
	if sockets, _ := list(t, "-pid", r.PID(), "-without-keepalive"); len(sockets) != 12 {
		t.Errorf("a dry run left %d off, want 12", len(sockets))
	}
	if out := set(t, "-pid", r.PID(), "-all", "-on", "-yes"); !strings.Contains(out, "12 changed") {
		t.Errorf("printed\n%s", out)
	}
	if sockets, _ := list(t, "-pid", r.PID(), "-without-keepalive"); len(sockets) != 0 {
		t.Errorf("%d are off, want 0", len(sockets))
	}
	// Nothing would change any more.
	set(t, "-pid", r.PID(), "-all", "-on")
}

// A link is a program at one end of a cable and a connection of this process at
// the other.
type link struct {
	cable    *netlab.Cable
	program  *labtest.Process
	conn     *net.TCPConn
	selector []string
}

func connect(t testing.TB, slow int, args ...string) *link {
	t.Helper()
	near, far := labtest.NewHost(t), labtest.NewHost(t)
	cable := labtest.NewCable(t, near, far)
	if slow > 0 {
		labtest.Need(t, cable.Slow(near, slow, 1<<20)) // Nothing is dropped.
	}
	var l net.Listener
	labtest.Need(t, far.Do(func() (err error) {
		lc := net.ListenConfig{KeepAlive: -1}
		lc.SetMultipathTCP(false)
		l, err = lc.Listen(context.Background(), "tcp", netip.AddrPortFrom(far.IPv4, 0).String())
		return err
	}))
	t.Cleanup(func() { l.Close() })
	r := start(t, dialProgram.Command(append([]string{"-to", l.Addr().String()}, args...)...), near.Start)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if line := r.Line(t); !strings.HasPrefix(line, "connected ") {
		t.Fatalf("the program said %q", line)
	}
	return &link{cable, r, c.(*net.TCPConn), []string{"-pid", r.PID(), "-remote", l.Addr().String()}}
}

// only is the program's connection as ls has it.
func (l *link) only(t testing.TB) map[string]any {
	t.Helper()
	sockets, _ := list(t, l.selector...)
	if len(sockets) != 1 {
		t.Fatalf("sockets are %v, want one", sockets)
	}
	return sockets[0]
}

// await waits until the program's connection is as wanted.
func (l *link) await(t testing.TB, what string, is func(map[string]any) bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !is(l.only(t)); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not %s: %v", what, l.only(t))
		}
	}
}

// awaitShut waits until the window of the connection's peer is shut.
func (l *link) awaitShut(t testing.TB) {
	t.Helper()
	l.await(t, "shut", func(map[string]any) bool {
		_, text, _ := command(append([]string{"ls"}, l.selector...)...)
		return strings.Contains(text, " shut ")
	})
}

func (l *link) set(args ...string) (status int, stdout, stderr string) {
	return command(append(append([]string{"set"}, l.selector...), args...)...)
}

// TestFaultSetWithin makes the connection of an unmodified program notice that
// the cable is cut.
func TestFaultSetWithin(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	for _, tt := range []struct {
		name                   string
		silent, within, atMost time.Duration
	}{
		{"young", 0, 10 * time.Second, 11500 * time.Millisecond},
		{"silent for longer", 7500 * time.Millisecond, 7 * time.Second, 8050 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := connect(t, 0)
			l.await(t, "silent", func(s map[string]any) bool { return s["silence_seconds"].(float64) >= tt.silent.Seconds() })
			if status, stdout, stderr := l.set("-within", tt.within.String()); status != 0 || stderr != "" {
				t.Fatalf("status %d, stdout %q, stderr %q", status, stdout, stderr)
			}
			if s := l.only(t); s["user_timeout_seconds"] != tt.within.Seconds() || s["detection_seconds"] != tt.within.Seconds() || s["silence_seconds"].(float64) > tt.within.Seconds() {
				t.Errorf("after set: %v", s)
			}
			if err := l.cable.Cut(); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			line := l.program.Line(t)
			took := time.Since(start)
			if !strings.HasPrefix(line, "true ") || took > tt.atMost {
				t.Errorf("after %v the program said %q, want ETIMEDOUT within %v", took, line, tt.atMost)
			}
			t.Logf("noticed %v after the cut", took)
		})
	}
}

// TestFaultSetAgain repeats what would end a connection were every value written
// each time: a probe a time, and at the count the end.
func TestFaultSetAgain(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	l := connect(t, 0)
	if err := l.cable.Cut(); err != nil {
		t.Fatal(err)
	}
	l.await(t, "silent", func(s map[string]any) bool { return s["silence_seconds"].(float64) > 2.5 })
	for i := range 10 {
		status, stdout, stderr := l.set("-on", "-idle", "2s", "-interval", "10m", "-count", "3")
		if status != 0 || stderr != "" || i > 0 != strings.Contains(stdout, "nothing to change") {
			t.Fatalf("status %d, stdout %q, stderr %q", status, stdout, stderr)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if s := l.only(t); s["probes"] != 1.0 || s["state"] != "established" {
		t.Errorf("after ten times: %v, want one probe", s)
	}
	if status, _, _ := command(append([]string{"ls", "-check", "-suspect"}, l.selector...)...); status != 3 {
		t.Errorf("ls -check -suspect: status %d, want 3", status)
	}

	// The peer does not answer: no user timeout below its silence.
	start := time.Now()
	status, stdout, _ := l.set("-user-timeout", "2s")
	if took := time.Since(start); status != 1 || !strings.Contains(stdout, "left alone: the peer was silent for") || took < 3*time.Second || took > 10*time.Second {
		t.Errorf("status %d after %v, stdout %q, want 1 after 3 s", status, took, stdout)
	}
	if s := l.only(t); s["user_timeout_seconds"] != 0.0 || s["state"] != "established" {
		t.Errorf("afterwards: %v", s)
	}
	if status, stdout, _ = l.set("-user-timeout", "1h"); status != 0 {
		t.Errorf("above the silence: status %d, stdout %q", status, stdout)
	}
}

func TestFaultSetShutWindow(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	l := connect(t, 0, "-write") // Nothing reads it.
	l.awaitShut(t)
	before := l.only(t)
	status, stdout, stderr := l.set("-within", "10s", "-dry-run")
	if status != 0 || stderr != "" || !strings.Contains(stdout, "would be skipped, if that is still so: the peer keeps its window shut") {
		t.Errorf("dry run: status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	status, stdout, stderr = l.set("-within", "10s")
	if status != 1 || stderr != "" || !strings.Contains(stdout, "skipped: the peer keeps its window shut") || !strings.Contains(stdout, "0 changed") {
		t.Errorf("status %d, stdout %q, stderr %q, want 1 and the reason", status, stdout, stderr)
	}
	unchanged(t, before, l.only(t))
	if status, stdout, _ = l.set("-within", "10s", "-no-user-timeout"); status != 0 || !strings.Contains(stdout, "1 changed") {
		t.Errorf("without user timeout: status %d, stdout %q", status, stdout)
	}
	if status, stdout, _ = l.set("-user-timeout", "10m", "-force", "window,unacked"); status != 0 || !strings.Contains(stdout, "1 changed") {
		t.Errorf("by force: status %d, stdout %q", status, stdout)
	}
	if s := l.only(t); s["user_timeout_seconds"] != 600.0 || s["enable"] != true {
		t.Errorf("afterwards: %v", s)
	}
}

func unchanged(t testing.TB, before, after map[string]any) {
	t.Helper()
	for _, key := range []string{"enable", "idle_seconds", "interval_seconds", "count", "user_timeout_seconds", "state"} {
		if before[key] != after[key] {
			t.Errorf("%s was %v and is %v", key, before[key], after[key])
		}
	}
}

func TestFaultSetSlowTransfer(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	l := connect(t, 50000, "-write")
	go io.Copy(io.Discard, l.conn)
	l.await(t, "busy", func(s map[string]any) bool { return s["pending"].(float64) > 250000 })
	before := l.only(t)
	status, stdout, stderr := l.set("-within", "10s")
	if status != 1 || stderr != "" || !strings.Contains(stdout, "data is slowly on its way") {
		t.Errorf("status %d, stdout %q, stderr %q, want 1 and the reason", status, stdout, stderr)
	}
	unchanged(t, before, l.only(t))

	// What is in flight on a cut cable is stuck.
	if err := l.cable.Cut(); err != nil {
		t.Fatal(err)
	}
	l.await(t, "stuck", func(map[string]any) bool {
		_, text, _ := command(append([]string{"ls", "-suspect"}, l.selector...)...)
		return strings.Contains(text, " stuck ")
	})
	status, stdout, stderr = l.set("-within", "10s")
	if status != 1 || stderr != "" || !strings.Contains(stdout, "data is stuck") {
		t.Errorf("cut: status %d, stdout %q, stderr %q, want 1 and the reason", status, stdout, stderr)
	}
	unchanged(t, before, l.only(t))
}

// TestSetFastTransfer sets a user timeout although data is in flight at any
// moment: what was at the first look has been acknowledged at a later one.
func TestSetFastTransfer(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	l := connect(t, 0, "-write")
	go io.Copy(io.Discard, l.conn)
	if status, stdout, stderr := l.set("-within", "10s"); status != 0 || stderr != "" {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	if s := l.only(t); s["user_timeout_seconds"] != 10.0 {
		t.Errorf("afterwards: %v", s)
	}
}

// TestSetInterrupted ends set while it waits for a peer that reads nothing: what
// it has changed is told all the same, with how to restore it.
func TestSetInterrupted(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			interruptSet(t, sig)
		})
	}
}

func interruptSet(t *testing.T, sig syscall.Signal) {
	changed, _ := hold(t, plainly, "-traceable")
	waiting := connect(t, 0, "-write", "-traceable")
	waiting.awaitShut(t)
	deadline := time.Now().Add(30 * time.Second)
	// It waits for 3 s, which may pass on a busy machine before the signal comes.
	for try := 1; ; try++ {
		cmd := theCommand.Command("set", "-pid", changed.PID(), "-pid", waiting.program.PID(), "-all", "-within", "30s")
		r := start(t, cmd, plainly)
		for on := 0; on < 2 && time.Now().Before(deadline); {
			sockets, _ := list(t, "-pid", changed.PID(), "-slower", "29s")
			on = len(sockets)
			for _, s := range sockets {
				if s["user_timeout_seconds"] != 30.0 {
					on--
				}
			}
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(r.Out)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		restore := "  restore  tcpopt set -pid " + changed.PID()
		s := string(out)
		if cmd.ProcessState.ExitCode() == 1 && strings.Count(s, restore) == 2 && strings.Count(s, "  failed: interrupted\n") == 1 &&
			strings.Contains(s, "\n2 changed, 0 as wanted already, 0 ended, 1 not done or not fully\n") {
			return
		}
		if try == 3 || !strings.Contains(s, "  skipped: the peer keeps its window shut") {
			t.Fatalf("%v, printed\n%s", cmd.ProcessState, s)
		}
		if status, _, stderr := command("set", "-pid", changed.PID(), "-all", "-off", "-user-timeout", "0s"); status != 0 {
			t.Fatalf("status %d, stderr %q", status, stderr)
		}
	}
}

// TestNotConnected is of a connection whose peer does not answer at all.
func TestNotConnected(t *testing.T) {
	needsTaking(t) // Not beside others: connect ends after a few seconds.
	near, far := labtest.NewHost(t), labtest.NewHost(t)
	labtest.Need(t, labtest.NewCable(t, near, far).Cut())
	cmd := dialProgram.Command("-to", netip.AddrPortFrom(far.IPv4, 9).String())
	sh := exec.Command("/bin/sh", "-c", "echo 2 >/proc/sys/net/ipv4/tcp_syn_retries")
	labtest.Need(t, near.Start(sh))
	if err := sh.Wait(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	r := start(t, cmd, near.Start)
	var sockets []map[string]any
	for deadline := time.Now().Add(5 * time.Second); len(sockets) == 0 && time.Now().Before(deadline); {
		sockets, _ = list(t, "-pid", r.PID())
	}
	if len(sockets) != 1 || sockets[0]["state"] != "syn-sent" || sockets[0]["silence_seconds"] != nil || sockets[0]["probes"] != 0.0 {
		t.Errorf("sockets are %v, want one in syn-sent with 0 probes and a silence of null", sockets)
	}
	_, text, _ := command("ls", "-pid", r.PID())
	const end = 7 * time.Second
	if s := sockets[0]; s["detection_seconds"] != end.Seconds() || s["busy_seconds"] != end.Seconds() {
		t.Errorf("%v, want that connect ends after %v", s, end)
	}
	if !regexp.MustCompile(fmt.Sprintf(`(?m) syn-sent .* %v +%[1]v +0 +- +1 +(-|stuck) +never `, end)).MatchString(text) {
		t.Errorf("listed\n%s", text)
	}
	if sockets, _ := list(t, "-pid", r.PID(), "-slower", end.String()); len(sockets) != 0 {
		t.Errorf("%v is slower than %v", sockets, end)
	}
	// A user timeout ends it earlier.
	impatient := net.Dialer{KeepAlive: -1, Control: tcpopt.Config{UserTimeout: 2500 * time.Millisecond}.DialControl}
	impatient.SetMultipathTCP(false)
	began := time.Now()
	failed := make(chan time.Duration, 1)
	go near.Do(func() error {
		_, err := impatient.Dial("tcp", netip.AddrPortFrom(far.IPv4, 9).String())
		failed <- time.Since(began)
		return err
	})
	var ours []map[string]any
	for len(ours) == 0 && time.Since(began) < 2*time.Second {
		ours, _ = list(t, "-pid", strconv.Itoa(os.Getpid()), "-local", near.IPv4.String(), "-state", "syn-sent")
	}
	if len(ours) != 1 || ours[0]["busy_seconds"] != 2.5 {
		t.Errorf("with a user timeout, sockets are %v, want one whose connect ends after 2.5 s", ours)
	}
	status, stdout, stderr := command("set", "-pid", r.PID(), "-all", "-within", "30s", "-dry-run")
	if status != 0 || stderr != "" || !strings.Contains(stdout, "only if the peer, silent from the start, answers") {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	if took := <-failed; took < 2400*time.Millisecond || took > 3500*time.Millisecond {
		t.Errorf("with a user timeout of 2.5 s, connect ended after %v", took)
	}
	line := r.Line(t)
	if took := time.Since(begin); !strings.Contains(line, "connection timed out") || took < end-time.Second/2 || took > end+end/8+time.Second {
		t.Errorf("connect ended after %v with %q, want after %v", took, line, end)
	}
}

// TestSetGone is of a socket that ends between the census and the visit.
func TestSetGone(t *testing.T) {
	on := true
	j := newJob(&census.Socket{PID: 1 << 22, State: "established", Config: tcpopt.Config{Idle: time.Minute, Count: 7}}, &change{enable: &on}, guards{})
	doJobs(context.Background(), []*job{j})
	var b strings.Builder
	if !printJobs(&b, []*job{j}, false) || !strings.Contains(b.String(), "before   off (idle 1m,") ||
		!strings.Contains(b.String(), "ended    the descriptor was closed before it could be changed") || !strings.Contains(b.String(), "\n0 changed, 0 as wanted already, 1 ended, 0 not") || strings.Contains(b.String(), "restore") {
		t.Errorf("printed\n%s", &b)
	}
}

// TestRestore is where the system's values are none that a socket takes.
func TestRestore(t *testing.T) {
	const s = time.Second
	d, n := time.Minute, 3
	c := change{idle: &d, interval: &d, count: &n}
	for _, tt := range []struct {
		name                string
		idle, interval      time.Duration
		count               int
		restore, impossible string
	}{
		{"all", 2 * s, 2 * s, 9, "-idle 2s -interval 2s -count 9", ""},
		{"too long", 24 * time.Hour, 75 * s, 9, "-interval 75s -count 9", "-idle 24h"},
		{"zero", 0, 75 * s, 0, "-interval 75s", "-idle 0s, -count 0"},
		{"nothing", 0, 0, 200, "", "-idle 0s, -interval 0s, -count 200"},
	} {
		socket := &census.Socket{PID: 7, FD: 3, Command: "x", State: "established", HasUserTimeout: true,
			Config: tcpopt.Config{Idle: tt.idle, Interval: tt.interval, Count: tt.count},
			Local:  netip.MustParseAddrPort("10.0.0.1:1"), Remote: netip.MustParseAddrPort("10.0.0.2:2")}
		j := newJob(socket, &c, guards{})
		j.visited, j.written = true, true
		socket.Config = j.target
		var b strings.Builder
		whole := printJobs(&b, []*job{j}, false)
		restore := ""
		if tt.restore != "" {
			restore = "  restore  tcpopt set -pid 7 -fd 3 -remote 10.0.0.2:2 " + tt.restore + "\n"
		}
		if tt.impossible != "" {
			restore += "  not restorable: " + tt.impossible + ", which was the system's and cannot be set on a socket\n"
		}
		if !whole || !strings.Contains(b.String(), "\n"+restore+"1 changed") {
			t.Errorf("%s: printed\n%s", tt.name, &b)
		}
	}
}

// TestSetFails is of a kernel that does not do as it says.
func TestSetFails(t *testing.T) {
	d := time.Minute
	socket := &census.Socket{State: "established", Config: tcpopt.Config{Idle: time.Hour}}
	j := newJob(socket, &change{idle: &d}, guards{})
	j.visited, j.written = true, true
	j.err = fmt.Errorf("broken")
	var b strings.Builder
	if printJobs(&b, []*job{j}, false) || !strings.Contains(b.String(), "failed: broken") {
		t.Errorf("printed\n%s", &b)
	}
	j.err = nil
	socket.Config.Idle = 2 * d
	b.Reset()
	if printJobs(&b, []*job{j}, false) || !strings.Contains(b.String(), "failed: the kernel did not take -idle 1m") {
		t.Errorf("printed\n%s", &b)
	}
}

// TestFaultSetRedis gives an idle redis-cli, as Debian has it, ten seconds to
// notice that the cable is cut; one beside it has its own settings.
func TestFaultSetRedis(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	near, far := labtest.NewHost(t), labtest.NewHost(t)
	cable := labtest.NewCable(t, near, far)
	labtest.StartRedis(t, far)
	subscriber := func() *labtest.Process {
		t.Helper()
		cmd := exec.Command(findProgram(t, "redis-cli"), "-h", far.IPv4.String(), "subscribe", "news")
		r := start(t, cmd, func(cmd *exec.Cmd) error {
			cmd.Stderr = cmd.Stdout
			return near.Start(cmd)
		})
		t.Cleanup(func() { cmd.Process.Kill() })
		for line := ""; line != "1"; { // The number of channels.
			line = r.Line(t)
		}
		return r
	}
	one, other := subscriber(), subscriber()
	set(t, "-pid", one.PID(), "-remote", ":6379", "-within", "10s")
	if err := cable.Cut(); err != nil {
		t.Fatal(err)
	}
	cut := time.Now()
	line, err := one.Out.ReadString('\n')
	if took := time.Since(cut); line != "Error: recv timeout\n" && !strings.HasSuffix(line, "Connection timed out\n") || took > 11500*time.Millisecond {
		t.Errorf("after %v redis-cli says %q, %v", took, line, err)
	} else {
		t.Logf("%v after the cut redis-cli says %q", took, line)
	}
	if sockets, _ := list(t, "-pid", other.PID()); len(sockets) != 1 {
		t.Errorf("the other has the connections %v, want one", sockets)
	}
}
