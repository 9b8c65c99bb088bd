package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// TestFaultSetDead finds the peers of twenty connections of programs of others dead.
func TestFaultSetDead(t *testing.T) {
	needsTaking(t) // Not beside others: its programs give up by themselves.
	l := labtest.NewLab(t)
	labtest.StartPostgres(t, l.Far)
	labtest.StartRedis(t, l.Far)
	server := l.Far.IPv4.String()
	var pids []string
	run := func(name, question, answer string, args ...string) {
		t.Helper()
		cmd := exec.Command(findProgram(t, name), args...)
		r := start(t, cmd, l.Near.Start)
		t.Cleanup(func() { cmd.Process.Kill() })
		if question != "" {
			r.Ask(t, question)
		}
		if line := r.Line(t); line != answer {
			t.Fatalf("%s said %q, want %q", name, line, answer)
		}
		pids = append(pids, "-pid", r.PID())
	}
	conninfo := "user=postgres dbname=postgres host=" + server
	for range 3 {
		run("redis-cli", "PING", "PONG", "-h", server)
		run("psql", "SELECT 6 * 7;", "42", "-XAt", conninfo)
		run("psql", "SELECT 6 * 7;", "42", "-XAt", conninfo+" keepalives=0")
		run("python3", "", "connected", "-uc", `
import socket
s = socket.create_connection(("`+server+`", 6379))
print("connected")
s.recv(1)`)
	}
	for range 4 {
		run("redis-cli", "", "subscribe", "-h", server, "subscribe", "news")
		run("node", "", "connected", "-e", `
const s = require("net").connect(6379, "`+server+`", () => console.log("connected"))
s.on("error", () => {})`)
	}
	list := func() []map[string]any { // Some of the programs have ended.
		_, stdout, _ := command(append([]string{"ls", "-json"}, pids...)...)
		var all struct{ Sockets []map[string]any }
		if err := json.Unmarshal([]byte(stdout), &all); err != nil {
			t.Fatal(err)
		}
		return all.Sockets
	}
	if n := len(list()); n != 20 {
		t.Fatalf("%d connections, want 20", n)
	}
	if err := l.Cable.Cut(); err != nil {
		t.Fatal(err)
	}
	for silent := 0; silent < 20; time.Sleep(20 * time.Millisecond) {
		silent = 0
		for _, s := range list() {
			if s["silence_seconds"].(float64) > 4 && s["pending"] == 0.0 {
				silent++
			}
		}
	}
	found := 0
	dead := func(args ...string) {
		out := set(t, append(args, "-within", "3s", "-yes")...)
		n := strings.Count(out, "  ended    the peer is dead: it did not answer")
		if !strings.Contains(out, fmt.Sprintf("\n0 changed, 0 as wanted already, %d ended, 0 not done or not fully\n", n)) || strings.Contains(out, "restore") {
			t.Errorf("printed\n%s", out)
		}
		found += n
	}
	// Those without keepalive need no force.
	dead(append(pids, "-without-keepalive")...)
	var living []string
	for _, s := range list() {
		if s["enable"] == false {
			t.Errorf("%v has no keepalive", s)
		}
		living = append(living, "-pid", strconv.Itoa(int(s["pid"].(float64))))
	}
	dead(append(living, "-all", "-force", "silent")...)
	if left := list(); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
	// On a slow machine some of redis-cli have ended by what they set themselves.
	if found > 20 || found < 13 {
		t.Errorf("%d were found dead, want 20", found)
	}
	t.Logf("%d were found dead", found)
}

// TestFaultSetReconnects is of a program that connects again when its peer is dead.
func TestFaultSetReconnects(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	l := labtest.NewLab(t)
	listener := labtest.Listen(t, l.Far, net.JoinHostPort(l.Far.IPv4.String(), "0"), false)
	go func() {
		for {
			if _, err := listener.Accept(); err != nil {
				return
			}
		}
	}()
	r := start(t, reconnectProgram.Command("-traceable", "-to", listener.Addr().String()), l.Near.Start)
	r.Line(t)
	one := []string{"-pid", r.PID(), "-all", "-within", "3s"}
	time.Sleep(2 * time.Second) // Of silence.
	if err := l.Cable.Cut(); err != nil {
		t.Fatal(err)
	}
	out := set(t, one...)
	if !strings.Contains(out, "  ended    the peer is dead: it did not answer") || !strings.Contains(out, "\n0 changed, 0 as wanted already, 1 ended, 0 not done or not fully\n") {
		t.Errorf("printed\n%s", out)
	}
	labtest.Need(t, l.Cable.Heal())
	if line := r.Line(t); line != "connected" {
		t.Errorf("the program said %q", line)
	}
}

var reconnectProgram = labtest.NewProgram("reconnect", reconnect)

// reconnect connects, again and again.
func reconnect() int {
	to := os.Args[len(os.Args)-1]
	unix.Prctl(unix.PR_SET_PTRACER, ^uintptr(0), 0, 0, 0)
	for {
		d := net.Dialer{KeepAlive: -1}
		c, err := d.Dial("tcp", to)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println("connected")
		c.Read(make([]byte, 1))
		c.Close()
	}
}

// TestFaultSetForced writes without an answer: the connection ends, as it was told.
func TestFaultSetForced(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	a := &situation{old: "100/75/9"}
	a.connect(t)
	labtest.Need(t, a.lab.Cable.Cut())
	for time.Since(a.us.heard()) < 3500*time.Millisecond {
		time.Sleep(10 * time.Millisecond)
	}
	out := set(t, "-pid", a.program.PID(), "-local", a.us.local.String(), "-within", "3s", "-force", "unacked,silent")
	if !strings.Contains(out, "  ended    the peer is dead: it did not answer, and the connection has ended\n") || !a.us.ended() || a.twin.ended() {
		t.Errorf("ended: %v, printed\n%s", a.us.ended(), out)
	}
}

// TestFaultSetAskingInterrupted ends set while it waits for an answer: the
// connection is then no worse off than it was.
func TestFaultSetAskingInterrupted(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	a := &situation{old: "100/75/9"}
	a.connect(t)
	labtest.Need(t, a.lab.Cable.Cut())
	for time.Since(a.us.heard()) < 3500*time.Millisecond {
		time.Sleep(10 * time.Millisecond)
	}
	cmd := theCommand.Command("set", "-pid", a.program.PID(), "-local", a.us.local.String(), "-within", "3s")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); a.us.info().Probes == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Signal(unix.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	c, err := tcpopt.FromFD(uintptr(a.us.fd)).Config()
	want := parseOld("100/75/9")
	want.Count, want.UserTimeout = c.Count, tcpopt.Unbounded
	if err != nil || c != want || c.Count < 10 || c.Count > 14 {
		t.Errorf("Config() = %+v, %v, want %+v with some more probes", c, err, want)
	}
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(out.String(), "  failed: interrupted\n  restore  tcpopt set -pid "+a.program.PID()) || !strings.Contains(out.String(), " -count 9\n") {
		t.Errorf("%v, printed\n%s", cmd.ProcessState, &out)
	}
}

// TestFaultSetPool gives an idle pool of connections without keepalive, silent for
// long, keepalive and a user timeout, with no force.
func TestFaultSetPool(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	l := labtest.NewLab(t)
	listener := labtest.Listen(t, l.Far, net.JoinHostPort(l.Far.IPv4.String(), "0"), false)
	r := start(t, twinsProgram.Command("-traceable", "-n", "20", "-to", listener.Addr().String()), l.Near.Start)
	for range 20 {
		r.Line(t)
	}
	all := []string{"-pid", r.PID(), "-remote", listener.Addr().String(), "-yes"}
	time.Sleep(10 * time.Second) // As an hour is to half a minute.
	for _, change := range [][]string{{"-user-timeout", "80ms"}, {"-within", "3s"}} {
		out := set(t, append(all, change...)...)
		if !strings.Contains(out, "\n20 changed, 0 as wanted already, 0 ended, 0 not done or not fully\n") {
			t.Errorf("%q: printed\n%s", change, out)
		}
	}
	sockets, _ := list(t, "-pid", r.PID())
	for _, s := range sockets {
		if s["enable"] != true || s["user_timeout_seconds"] != 3.0 || s["state"] != "established" {
			t.Errorf("afterwards: %v", s)
		}
	}
}

// TestSetCounts has every socket counted once, whatever is done.
func TestSetCounts(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	shut := connect(t, 0, "-write")
	shut.awaitShut(t)
	r, _ := hold(t, plainly, "-n", "2", "-special", "1")
	all := []string{"set", "-pid", r.PID(), "-pid", shut.program.PID(), "-all", "-idle", "31s", "-user-timeout", "12345ms"}
	for _, tt := range []struct {
		dry    bool
		status int
		want   string
	}{
		{true, 0, "3 would change, 1 as wanted already, 1 would not or might not"},
		{false, 1, "3 changed, 1 as wanted already, 0 ended, 1 not done or not fully"},
		{false, 1, "0 changed, 4 as wanted already, 0 ended, 1 not done or not fully"},
	} {
		args := all
		if tt.dry {
			args = append(args, "-dry-run")
		}
		status, stdout, stderr := command(args...)
		if status != tt.status || stderr != "" || !strings.Contains(stdout, "\n"+tt.want+"\n") {
			t.Errorf("dry %v: status %d, stdout %q, stderr %q, want %d and %q", tt.dry, status, stdout, stderr, tt.status, tt.want)
		}
	}
}

// TestSetListener says what a listener's connections show.
func TestSetListener(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	inherits, _ := hold(t, plainly, "-n", "3")
	none, _ := hold(t, plainly, "-n", "0")
	gos := start(t, httpProgram.Command("127.0.0.1:0"), plainly)
	gos.Line(t)
	for _, tt := range []struct{ name, pid, args, want string }{
		{"inherited", inherits.PID(), "-on -idle 10s", "new connections inherit this: 3 connections here had the same as the listener"},
		{"none", none.PID(), "-on", "new connections inherit this, unless the program sets its own after accept, as Go programs do; no accepted connection here shows which"},
		{"Go's", gos.PID(), "-on -idle 30s -dry-run", "new connections will hardly inherit this: 5 connections here differed from the listener, so the program sets its own after accept, as Go programs do"},
		{"Go's, as it is", gos.PID(), "-user-timeout 30s", "new connections inherit this: 5 connections here had the same as the listener"},
	} {
		sockets, _ := list(t, "-pid", tt.pid, "-state", "listen")
		if len(sockets) != 1 {
			t.Fatalf("%s: listeners are %v, want one", tt.name, sockets)
		}
		fd := strconv.Itoa(int(sockets[0]["fd"].(float64)))
		out := set(t, append([]string{"-pid", tt.pid, "-fd", fd}, strings.Fields(tt.args)...)...)
		if !strings.Contains(out, "\n  accepted "+tt.want+"\n") {
			t.Errorf("%s: printed\n%s", tt.name, out)
		}
	}
}
