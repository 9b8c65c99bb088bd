package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

var againProgram = labtest.NewProgram("again", again)

// again connects as often as it is told, keeps each connection for a time, and
// says of each when it had a user timeout, which nobody but set gives it. Then it
// does what each line of its input says to its last connection.
func again() int {
	var flags flag.FlagSet
	to := flags.String("to", "", "address")
	n := flags.Int("n", 1, "how many connections")
	each := flags.Duration("each", 0, "how long at least each is kept")
	traceable(&flags)
	flags.Parse(os.Args[1:])
	d := net.Dialer{KeepAlive: -1}
	d.SetMultipathTCP(false)
	var c net.Conn
	open := func() {
		if c != nil {
			c.Close()
		}
		var err error
		if c, err = d.Dial("tcp", *to); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	await := func(start time.Time) {
		s, err := tcpopt.FromConn(c)
		for time.Since(start) < time.Minute && err == nil {
			var config tcpopt.Config
			if config, err = s.Config(); config.UserTimeout == 30*time.Second && config.KeepAlive == tcpopt.On {
				fmt.Println(time.Since(start).Milliseconds())
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		fmt.Println("not set:", err)
	}
	for range *n {
		open()
		start := time.Now()
		await(start)
		time.Sleep(*each - time.Since(start))
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		s, _ := tcpopt.FromConn(c)
		switch in.Text() {
		case "off":
			if err := errors.Join(s.SetUserTimeout(0), s.SetKeepAlive(false)); err != nil {
				fmt.Println(err)
			}
		case "open":
			open()
		}
		await(time.Now())
	}
	return 0
}

// every starts set with -every and returns it when it has looked once.
func every(t testing.TB, args ...string) *labtest.Process {
	t.Helper()
	p := start(t, theCommand.Command(append([]string{"set", "-yes"}, args...)...), plainly)
	if line := p.Line(t); !strings.HasPrefix(line, "looking every ") {
		t.Fatalf("it begins with %q", line)
	}
	return p
}

// end ends what every started by sig, and returns what it prints from here on.
func end(t testing.TB, p *labtest.Process, sig os.Signal) []string {
	t.Helper()
	labtest.Need(t, p.Process.Signal(sig))
	rest, err := io.ReadAll(p.Out)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("set: %v", err)
	}
	return strings.Split(strings.TrimSuffix(string(rest), "\n"), "\n")
}

// accept accepts whatever connects, and keeps it.
func accept(t testing.TB) (address string) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	labtest.Need(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(io.Discard, c); c.Close() }()
		}
	}()
	return l.Addr().String()
}

// TestSetEvery has a client that connects again and again, for as long as
// TCPOPT_EVERY says if it is set. In that case the machine is to be idle: there are
// bounds for the time until a connection is set, and for the processor's.
func TestSetEvery(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	period, n, each := time.Second, 3, 100*time.Millisecond
	long, isLong := os.LookupEnv("TCPOPT_EVERY")
	if isLong {
		d, err := time.ParseDuration(long)
		labtest.Need(t, err)
		period, each = 4*time.Second, 5*time.Second
		n = int(d / each)
	}
	client := start(t, againProgram.Command("-traceable", "-to", accept(t), "-n", strconv.Itoa(n), "-each", each.String()), plainly)
	p := every(t, "-pid", client.PID(), "-all", "-within", "30s", "-every", period.String())
	begun := time.Now()
	longest := 0
	for i := range n {
		line := client.Line(t)
		took, err := strconv.Atoi(line)
		if err != nil {
			t.Fatalf("connection %d: %s", i, line)
		}
		longest = max(longest, took)
	}
	time.Sleep(3 * period) // Nothing changes.
	client.Ask(t, "open")
	client.Line(t)
	lines := end(t, p, syscall.SIGTERM)
	for i, line := range lines[:len(lines)-1] {
		want := client.PID() + " " + commandOf(t, client.PID()) + " fd "
		const change = ": set -on -idle 15s -interval 5s -count 3 -user-timeout 30s; it had -off -idle 2h -interval 75s -count 9 -user-timeout 0s"
		if !strings.HasPrefix(line, want) || !strings.HasSuffix(line, change) {
			t.Errorf("line %d is %q, want %q … %q", i, line, want, change)
		}
	}
	if want := n + 1; len(lines) != want+1 {
		t.Errorf("%d lines of %d connections: %q", len(lines)-1, want, lines)
	}
	last, want := lines[len(lines)-1], fmt.Sprintf(": %d changes made, 0 connections found dead, 0 not done or not fully", n+1)
	if !strings.HasPrefix(last, "interrupted after ") || !strings.HasSuffix(last, want) {
		t.Errorf("it ends with %q, want %q", last, want)
	}
	busy, took := p.ProcessState.UserTime()+p.ProcessState.SystemTime(), time.Since(begun)
	t.Logf("set every %v: %d connections in %v, each set after %d ms at the most, %.3f %% of a processor",
		period, n, took.Round(time.Second), longest, 100*busy.Seconds()/took.Seconds())
	if isLong && (busy > took/100 || longest > int(period.Milliseconds())+500) {
		t.Errorf("more than a period, or than 1 %% of a processor")
	}
}

// TestSetEveryUndone has a program that sets its own again, twice, and then ends.
func TestSetEveryUndone(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	client := start(t, againProgram.Command("-traceable", "-to", accept(t)), plainly)
	p := every(t, "-pid", client.PID(), "-all", "-within", "30s", "-every", "1s")
	client.Line(t)
	client.Ask(t, "off")
	client.Line(t)
	client.Ask(t, "off")
	for _, want := range []string{": set -on ", ": set -on ", ": left alone from now on: its program has set its own again"} {
		if line := p.Line(t); !strings.Contains(line, want) {
			t.Errorf("it says %q, want %q", line, want)
		}
	}
	labtest.Need(t, client.Process.Kill())
	client.Wait()
	if line := p.Line(t); !strings.HasPrefix(line, "all processes have ended after ") || !strings.HasSuffix(line, ": 2 changes made, 0 connections found dead, 1 not done or not fully") {
		t.Errorf("it ends with %q", line)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// TestSetEveryNobody has a command that no process has yet.
func TestSetEveryNobody(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	p := every(t, "-name", "nobodyhasthis", "-all", "-on", "-every", "1s")
	time.Sleep(1500 * time.Millisecond)
	if lines := end(t, p, syscall.SIGTERM); len(lines) != 1 || !strings.Contains(lines[0], ": 0 changes made") {
		t.Errorf("it says %q", lines)
	}
}

// TestSetEveryRefused has what set refuses: it says so once, also of what it
// cannot read.
func TestSetEveryRefused(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	r, _ := hold(t, plainly, "-n", "1", "-mptcp", "-traceable")
	p := every(t, "-pid", r.PID(), "-pid", "4194304", "-all", "-within", "30s", "-every", "1s")
	time.Sleep(2500 * time.Millisecond)
	lines := end(t, p, os.Interrupt)
	text := strings.Join(lines, "\n")
	if strings.Count(text, "process 4194304: no such process") != 1 {
		t.Errorf("not one line about process 4194304:\n%s", text)
	}
	want := 0
	if strings.Contains(text, "multipath TCP has no user timeout") {
		want = 2 // Both ends.
	} else if multipath() {
		t.Errorf("nothing about the user timeout:\n%s", text)
	}
	if n := strings.Count(text, "skipped: multipath TCP has no user timeout"); n != want || !strings.HasSuffix(text, fmt.Sprintf(" %d not done or not fully", want)) {
		t.Errorf("%d lines about it, want %d:\n%s", n, want, text)
	}
}

// multipath reports whether connections may be of multipath TCP here.
func multipath() bool {
	text, err := os.ReadFile("/proc/sys/net/mptcp/enabled")
	return err == nil && strings.TrimSpace(string(text)) == "1"
}

// TestFaultSetEvery has a peer that does not answer. It is asked once, at the price
// of a few probes, and not again before it has given a sign.
func TestFaultSetEvery(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	lab := labtest.NewLab(t)
	near, _ := lab.Connect(t, false)
	s, err := tcpopt.FromConn(near)
	labtest.Need(t, err)
	labtest.Need(t, s.SetConfig(tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: 8 * time.Second, Count: 20}))
	labtest.Need(t, lab.Cable.Cut())
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if progress, err := s.Progress(); err != nil || time.Now().After(deadline) {
			t.Fatalf("no probe is out: %+v, %v", progress, err)
		} else if progress.Probes > 0 {
			break
		}
	}
	p := every(t, "-pid", strconv.Itoa(os.Getpid()), "-remote", near.RemoteAddr().String(), "-within", "30s", "-every", "1s")
	// What it was asked with is made up for by a higher count, once.
	for _, want := range []string{": set -count ", ": left alone: the peer was silent"} {
		if line := p.Line(t); !strings.Contains(line, want) {
			t.Fatalf("it says %q, want %q", line, want)
		}
	}
	before, err := s.Config()
	labtest.Need(t, err)
	time.Sleep(3 * time.Second)
	after, err := s.Config()
	if labtest.Need(t, err); before != after {
		t.Errorf("asked again: %+v became %+v", before, after)
	}
	labtest.Need(t, lab.Cable.Heal())
	if line := p.Line(t); !strings.Contains(line, ": set -idle 15s -interval 5s -count 3 -user-timeout 30s; it had -idle 1s -interval 8s -count ") {
		t.Errorf("after the peer's sign it says %q", line)
	}
	lines := end(t, p, os.Interrupt)
	if len(lines) != 1 || !strings.HasSuffix(lines[0], ": 2 changes made, 0 connections found dead, 0 not done or not fully") {
		t.Errorf("it ends with %q", lines)
	}
}
