package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt/internal/census"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// command runs the command in this process.
func command(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(args, &out, &errs)
	return status, out.String(), errs.String()
}

// list is ls -json with args, by its keys as they are in the text.
func list(t testing.TB, args ...string) (sockets []map[string]any, whole map[string]any) {
	t.Helper()
	status, stdout, stderr := command(append([]string{"ls", "-json"}, args...)...)
	if status != 0 || stderr != "" {
		t.Fatalf("ls %q: status %d, stderr %q", args, status, stderr)
	}
	return parse(t, stdout)
}

func parse(t testing.TB, stdout string) (sockets []map[string]any, whole map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(stdout), &whole); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	for _, s := range whole["sockets"].([]any) {
		sockets = append(sockets, s.(map[string]any))
	}
	return sockets, whole
}

func TestLsExact(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	for _, ip := range []string{"127.0.0.1", "::1"} {
		r, all := hold(t, plainly, "-ip", ip, "-n", "150", "-special", "50", "-others")
		exact(t, r, all)
	}
}

// namespaceOf is the network namespace of dir, a thread of /proc.
func namespaceOf(dir string) (uint64, error) {
	var st unix.Stat_t // Of the namespace, to which the link leads.
	err := unix.Stat(dir+"/ns/net", &st)
	return st.Ino, err
}

// exact compares what ls has of a program's sockets with what that has itself.
// The first is its listener; 50 have the Config of hold.
func exact(t *testing.T, r *labtest.Process, all []held) {
	t.Helper()
	sockets, whole := list(t, "-pid", r.PID(), "-listen")
	if v := whole["version"]; v != 1.0 {
		t.Errorf("version is %v", v)
	}
	if u, ok := whole["unowned"]; !ok || u != nil {
		t.Errorf("unowned is %v", u)
	}
	if u := whole["unreadable"]; len(u.(map[string]any)) != 0 {
		t.Errorf("unreadable is %v", u)
	}
	got := map[int]map[string]any{}
	for _, s := range sockets {
		got[int(s["fd"].(float64))] = s
	}
	if len(sockets) != len(all) || len(got) != len(all) {
		t.Fatalf("%d sockets, %d descriptors, want %d", len(sockets), len(got), len(all))
	}
	netns, _ := namespaceOf("/proc/" + r.PID())
	comm, _ := os.ReadFile("/proc/" + r.PID() + "/comm")
	enabled := 0
	for _, h := range all {
		s := got[h.FD]
		link, _ := os.Readlink("/proc/" + r.PID() + "/fd/" + strconv.Itoa(h.FD))
		want := map[string]any{
			"fd": float64(h.FD), "thread": nil, "inode": nil, "netns": float64(netns), "protocol": "tcp", "command": strings.TrimSpace(string(comm)),
			"local": h.Local, "remote": h.Remote, "state": "established", "enable": h.Enable,
			"idle_seconds": h.Idle, "interval_seconds": h.Interval, "count": h.Count, "user_timeout_seconds": h.Timeout,
			"detection_seconds": nil, "busy_seconds": nil, "max_silence_seconds": nil, "probes": 0.0, "pending": 0.0,
		}
		if h.Remote == "" {
			want["state"], want["probes"], want["pending"] = "listen", nil, nil
			delete(want, "remote")
		}
		if limit, err := census.SystemLimit(); err == nil {
			want["system_limit_seconds"] = limit.Least.Seconds()
		}
		want["uid"], want["netns_name"] = float64(os.Geteuid()), nil
		if h.Enable {
			enabled++
			want["detection_seconds"], want["busy_seconds"], want["max_silence_seconds"] = 38.0, 12.345, 31.0 // The user timeout outranks the count.
		}
		pid, _ := strconv.Atoi(r.PID())
		want["pid"] = float64(pid)
		want["inode"], _ = strconv.ParseFloat(strings.Trim(strings.TrimPrefix(link, "socket:"), "[]"), 64)
		for key, value := range want {
			if have, ok := s[key]; !ok || have != value {
				t.Errorf("descriptor %d: %s is %v, want %v", h.FD, key, have, value)
			}
		}
		if silence, ok := s["silence_seconds"].(float64); ok != (h.Remote != "") || silence < 0 || silence > 60 {
			t.Errorf("descriptor %d: silence_seconds is %v", h.FD, s["silence_seconds"])
		}
		if len(s) != 26 {
			t.Errorf("keys are %v", slices.Sorted(maps.Keys(s)))
		}
	}
	if enabled != 50 {
		t.Errorf("%d have keepalive, want 50", enabled)
	}
	if sockets, _ := list(t, "-pid", r.PID()); len(sockets) != len(all)-1 {
		t.Errorf("%d sockets without -listen, want %d", len(sockets), len(all)-1)
	}
}

// TestLsElsewhere is of sockets in namespaces that the main thread of their
// process is not in.
func TestLsElsewhere(t *testing.T) {
	needsTaking(t)
	needsLab(t)
	t.Parallel()
	for _, unprivileged := range []bool{false, true} {
		demo := stage(t, demoCommand(t, unprivileged, "-within", "30s"), plainly, "")
		demo.until(t, "cut")
		for _, more := range [][]string{{"-pid", strconv.Itoa(demo.Process.Pid)}, nil} {
			n := 0
			sockets, _ := list(t, more...)
			for _, s := range sockets {
				if s["pid"] == float64(demo.Process.Pid) {
					n++
				}
			}
			if n != 4 {
				t.Errorf("ls %q: %d ends of the demo's two connections, want 4", more, n)
			}
		}
	}

	// A socket that was given, by a process that has its namespace.
	h := labtest.NewHost(t)
	hold(t, h.Start, "-n", "0")
	var l net.Listener
	labtest.Need(t, h.Do(func() (err error) { l, err = net.Listen("tcp", "127.0.0.1:0"); return err }))
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := holdProgram.Command("-n", "1")
	cmd.ExtraFiles = []*os.File{f}
	r, _ := read(t, cmd, plainly)
	has(t, r.PID(), 3, map[string]any{"local": l.Addr().String(), "state": "listen"})
	after, _ := hold(t, plainly, "-n", "1")
	var pids []float64
	sockets, _ := list(t, "-pid", r.PID(), "-pid", after.PID(), "-listen")
	for _, s := range sockets {
		pids = append(pids, s["pid"].(float64))
	}
	if len(pids) != 4+3 || !slices.IsSorted(pids) {
		t.Errorf("sockets of %v, want 4 of %s and 3 of %s, in order", pids, r.PID(), after.PID())
	}
}

func TestLsFilters(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	name := "filtered" + strconv.Itoa(os.Getpid()) // These tests may run twice here.
	path := renamed(t, name)
	r, all := hold(t, func(cmd *exec.Cmd) error { cmd.Path = path; return cmd.Start() }, "-n", "5", "-special", "2")
	listener := all[0].Local
	_, port, _ := net.SplitHostPort(listener)
	one := all[1].Local // of a client with keepalive
	comm, _ := os.ReadFile("/proc/" + r.PID() + "/comm")
	for _, tt := range []struct {
		args string
		want int
	}{
		{"", 10},
		{"-without-keepalive", 8},
		{"-slower 38s", 8},
		{"-slower 37s", 10},
		{"-quieter 31s", 8},
		{"-quieter 30s", 10},
		{"-suspect", 0},
		{"-local :" + port, 5},
		{"-remote :" + port, 5},
		{"-remote :" + port + " -without-keepalive", 3},
		{"-remote " + listener, 5},
		{"-local " + one, 1},
		{"-local 127.0.0.0/8", 10},
		{"-local 127.0.0.1 -remote 127.0.0.1", 10},
		{"-local 10.0.0.0/8", 0},
		{"-local ::1", 0},
		{"-state established", 10},
		{"-state ESTAB", 10},
		{"-state close-wait", 0},
		{"-state listen", 1},
		{"-listen", 11},
		{"-listen -without-keepalive", 9},
	} {
		args := append([]string{"-pid", r.PID()}, strings.Fields(tt.args)...)
		if sockets, _ := list(t, args...); len(sockets) != tt.want {
			t.Errorf("ls %s: %d sockets, want %d", tt.args, len(sockets), tt.want)
		}
		want := 0
		if tt.want > 0 {
			want = 3
		}
		if status, _, stderr := command(append([]string{"ls", "-check"}, args...)...); status != want || stderr != "" {
			t.Errorf("ls -check %s: status %d, stderr %q, want %d", tt.args, status, stderr, want)
		}
	}
	if sockets, _ := list(t, "-name", name); len(sockets) != 10 {
		t.Errorf("ls -name: %d sockets, want 10", len(sockets))
	}
	// A name that nobody has is one that is misspelt, for all that -check knows.
	if status, stdout, stderr := command("ls", "-check", "-name", "nobodyhasthis"); status != 1 || stdout != "" || stderr != "tcpopt ls: no process is named nobodyhasthis\n" {
		t.Errorf("status %d, stdout %q, stderr %q, want 1", status, stdout, stderr)
	}
	// A name selects among the processes given, and one that is gone stays an error.
	if status, stdout, stderr := command("ls", "-pid", strconv.Itoa(os.Getpid()), "-name", "nobodyhasthis"); status != 1 || stdout != "" || stderr != "tcpopt ls: no process is named nobodyhasthis\n" {
		t.Errorf("one of another name: status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	if status, _, stderr := command("ls", "-pid", "4194305", "-name", "nobodyhasthis"); status != 1 || stderr != "tcpopt ls: process 4194305: no such process\n" {
		t.Errorf("one that is gone: status %d, stderr %q", status, stderr)
	}

	_, text, _ := command("ls", "-pid", r.PID())
	lines := strings.Split(text, "\n")
	if len(lines) != 13 || !regexp.MustCompile(`^`+r.PID()+` +\S+ +\d+ +`+one+` +`+listener+` +established +on +31s +7s +5 +12.345s +38s +12.345s +0 +[0-9.m]+s +0 +- +31s +`+userName(uint32(os.Geteuid()))+` +\S+ +\d+ +\S+ -n 5 -special 2$`).MatchString(lines[1]) ||
		lines[11] != "10 sockets, 8 without keepalive, 0 suspect" {
		t.Errorf("printed\n%s", text)
	}
	_, text, _ = command("ls", "-pid", r.PID(), "-by", "remote")
	if !regexp.MustCompile(`(?m)^127\.0\.0\.1 +10 +8 +8 +38s +8 +0$`).MatchString(text) {
		t.Errorf("by remote:\n%s", text)
	}
	_, whole := list(t, "-pid", r.PID(), "-by", "command", "-suspect")
	if totals, ok := whole["totals"].([]any); !ok || len(totals) != 0 {
		t.Errorf("totals of nothing are %v", whole["totals"])
	}
	_, whole = list(t, "-pid", r.PID(), "-by", "command")
	want := map[string]any{"by": strings.TrimSpace(string(comm)), "sockets": 10.0, "off": 8.0, "unbounded": 8.0, "detection_seconds": 38.0, "busy_unbounded": 8.0, "suspect": 0.0}
	if totals := whole["totals"].([]any); len(totals) != 1 || !maps.Equal(totals[0].(map[string]any), want) {
		t.Errorf("totals are %v, want %v", totals, want)
	}
}

func TestLsShared(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	r, all := hold(t, plainly, "-n", "3", "-share")
	children, err := os.ReadFile("/proc/" + r.PID() + "/task/" + r.PID() + "/children")
	if err != nil || len(strings.Fields(string(children))) == 0 {
		// Whichever thread started it.
		tasks, _ := os.ReadDir("/proc/" + r.PID() + "/task")
		for _, task := range tasks {
			b, _ := os.ReadFile("/proc/" + r.PID() + "/task/" + task.Name() + "/children")
			children = append(children, b...)
		}
	}
	heir := strings.Fields(string(children))
	if len(heir) != 1 {
		t.Fatalf("the program has children %q", children)
	}
	if sockets, _ := list(t, "-pid", heir[0], "-listen"); len(sockets) != len(all)+1 { // It listens itself.
		t.Errorf("%d sockets of the heir, want %d", len(sockets), len(all)+1)
	}
	sockets, _ := list(t, "-pid", heir[0], "-pid", r.PID(), "-listen")
	if len(sockets) != len(all)+1 {
		t.Errorf("%d sockets of both, want %d", len(sockets), len(all)+1)
	}
}

func TestLsMultipath(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
	if err != nil {
		t.Skipf("no multipath TCP: %v", err)
	}
	unix.Close(fd)
	for _, ip := range []string{"127.0.0.1", "::1"} {
		r, all := hold(t, plainly, "-mptcp", "-n", "2", "-special", "1", "-ip", ip)
		sockets, _ := list(t, "-pid", r.PID(), "-listen")
		if len(sockets) != len(all) {
			t.Fatalf("%s: sockets are %v, want %v", ip, sockets, all)
		}
		for i, h := range all {
			s := sockets[i]
			for key, want := range map[string]any{"fd": float64(h.FD), "protocol": "mptcp", "local": h.Local, "user_timeout_seconds": nil,
				"idle_seconds": h.Idle, "enable": h.Enable, "busy_seconds": nil, "probes": nil, "silence_seconds": nil} {
				if have, ok := s[key]; !ok || have != want {
					t.Errorf("%s: descriptor %d: %s is %v, want %v", ip, h.FD, key, have, want)
				}
			}
		}
		// Of no connection is it known that it is not suspect.
		if sockets, whole := list(t, "-pid", r.PID(), "-suspect"); len(sockets) != 0 || whole["uncounted"] != 4.0 {
			t.Errorf("%s: suspect are %v, uncounted %v, want none and 4", ip, sockets, whole["uncounted"])
		}
		if _, text, _ := command("ls", "-pid", r.PID(), "-suspect"); !strings.Contains(text, "4 connections without counters, as multipath TCP is: not known whether suspect\n") {
			t.Errorf("%s: printed\n%s", ip, text)
		}
		one := fmt.Sprint(all[1].FD)
		if status, stdout, stderr := command("set", "-pid", r.PID(), "-fd", one, "-within", "30s"); status != 1 || stderr != "" || !strings.Contains(stdout, "skipped: multipath TCP has no user timeout") {
			t.Errorf("set -within: status %d, stdout %q, stderr %q", status, stdout, stderr)
		}
		if status, stdout, stderr := command("set", "-pid", r.PID(), "-fd", one, "-within", "30s", "-no-user-timeout"); status != 0 || stderr != "" {
			t.Errorf("set -no-user-timeout: status %d, stdout %q, stderr %q", status, stdout, stderr)
		}
		if sockets, _ := list(t, "-pid", r.PID(), "-slower", "30s", "-remote", all[1].Remote); len(sockets) != 1 {
			t.Errorf("after set, slow ones are %v, want one", sockets)
		}
	}
}

// TestLsDenied lists processes that may not be listed. With Yama, those that may
// be are not to be read either.
func TestLsDenied(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	as := func(uid uint32) func(*exec.Cmd) error {
		return func(cmd *exec.Cmd) error {
			if os.Geteuid() == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
			}
			return cmd.Start()
		}
	}
	const me, other = 65534, 65533
	open, all := hold(t, as(me), "-n", "2")
	private, _ := hold(t, as(me), "-n", "1", "-private")
	vanished := holdProgram.Command("-n", "0")
	if err := vanished.Run(); err != nil {
		t.Fatal(err)
	}
	gone := strconv.Itoa(vanished.Process.Pid)
	// What is said of each.
	want := map[string]string{
		gone:          "process " + gone + ": no such process",
		private.PID(): "process " + private.PID() + ": its descriptors may not be listed: it is not dumpable or has more capabilities than this process, which needs CAP_SYS_PTRACE, as root has it, or a security module forbids it",
	}
	theirs := "1"
	if os.Geteuid() == 0 {
		r, _ := hold(t, as(other), "-n", "1")
		theirs = r.PID()
	}
	if info, err := os.Stat("/proc/" + theirs); err == nil && info.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()) {
		want[theirs] = fmt.Sprintf("process %s: its descriptors may not be listed: it belongs to user %d, and this process needs CAP_SYS_PTRACE, as root has it",
			theirs, info.Sys().(*syscall.Stat_t).Uid)
	}
	denied := float64(len(want) - 1)
	counts := map[string]any{"listing_denied": denied, "gone": 1.0}
	sees := len(all) - 1
	yama, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if len(yama) > 0 && yama[0] != '0' {
		sees = 0
		want[open.PID()] = "process " + open.PID() + ": descriptors may be listed but not taken: the sysctl kernel.yama.ptrace_scope forbids it (1 and 2: without CAP_SYS_PTRACE; 3: to everybody until the machine restarts)"
		counts["taking_denied_by_yama"] = 1.0
	}
	args := []string{"ls", "-json", "-pid", open.PID()}
	for pid := range want {
		args = append(args, "-pid", pid)
	}
	tool := func(args ...string) (int, string, string) {
		cmd := theCommand.Command(args...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := as(me)(cmd); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		return cmd.ProcessState.ExitCode(), out.String(), errs.String()
	}
	status, stdout, stderr := tool(args...)
	sockets, whole := parse(t, stdout)
	if status != 1 || len(sockets) != sees || !maps.Equal(whole["unreadable"].(map[string]any), counts) {
		t.Errorf("status %d, %d sockets, unreadable %v, want 1, %d, %v", status, len(sockets), whole["unreadable"], sees, counts)
	}
	for _, words := range want {
		if !strings.Contains(stderr, words+"\n") {
			t.Errorf("stderr is %q, want %q", stderr, words)
		}
	}

	// Of all processes, those that may be read are what was asked for.
	status, stdout, stderr = tool("ls", "-json")
	sockets, whole = parse(t, stdout)
	count, _ := whole["unreadable"].(map[string]any)["listing_denied"].(float64)
	mine := slices.ContainsFunc(sockets, func(s map[string]any) bool { return fmt.Sprint(s["pid"]) == open.PID() })
	unowned, _ := whole["unowned"].(float64)
	if status != 0 || stderr != "" || count < denied || mine != (sees > 0) || unowned < 2 {
		t.Errorf("status %d, stderr %q, %v denied, mine %v, %v unowned", status, stderr, count, mine, unowned)
	}

	// The summary names who it is.
	_, text, _ := tool("ls", "-pid", private.PID(), "-pid", gone)
	for _, line := range []string{
		"0 sockets, 0 without keepalive, 0 suspect\n",
		"2 processes could not be read:\n",
		"  " + private.PID() + " " + commandOf(t, private.PID()) + ": their descriptors may not be listed without CAP_SYS_PTRACE, or as their user if they are dumpable\n",
		"  " + gone + ": no such process\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}

	for pid, words := range want {
		status, stdout, stderr = tool("set", "-pid", pid, "-all", "-on")
		if status != 1 || stdout != "" || !strings.HasSuffix(stderr, words+"\n") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("set: status %d, stdout %q, stderr %q, want 1 and %q", status, stdout, stderr, words)
		}
	}
	if sees == 0 {
		return
	}
	status, stdout, stderr = tool("set", "-pid", open.PID(), "-all", "-on")
	if status != 0 || stderr != "" || !strings.Contains(stdout, "4 changed") {
		t.Errorf("set on one's own: status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}

// openDescriptors counts the descriptors of this process.
func openDescriptors(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestLsLeavesNothing is not parallel: it counts descriptors.
func TestLsLeavesNothing(t *testing.T) {
	needsTaking(t)
	r, _ := hold(t, plainly, "-n", "20")
	list(t, "-pid", r.PID())
	before := openDescriptors(t)
	for range 5 {
		list(t)
		list(t, "-pid", r.PID())
		command("set", "-pid", r.PID(), "-all", "-idle", "40s", "-yes")
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors, want %d", after, before)
	}
}

// python prints what hold prints, of 9,800 ends of connections and a listener.
const python = `
import json, resource, socket, sys
most = max(10000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
TCP = socket.IPPROTO_TCP
address = lambda a: "%s:%d" % a[:2]
def describe(s, remote=""):
    get = lambda level, name: s.getsockopt(level, name)
    return {"FD": s.fileno(), "Local": address(s.getsockname()), "Remote": remote,
        "Enable": get(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0, "Idle": get(TCP, socket.TCP_KEEPIDLE),
        "Interval": get(TCP, socket.TCP_KEEPINTVL), "Count": get(TCP, socket.TCP_KEEPCNT),
        "Timeout": get(TCP, socket.TCP_USER_TIMEOUT) / 1000}
l = socket.create_server(("127.0.0.1", 0), backlog=16)
sockets = [l]
for i in range(4900):
    c = socket.create_connection(l.getsockname())
    if i % 98 == 0:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        c.setsockopt(TCP, socket.TCP_KEEPIDLE, 31)
        c.setsockopt(TCP, socket.TCP_KEEPINTVL, 7)
        c.setsockopt(TCP, socket.TCP_KEEPCNT, 5)
        c.setsockopt(TCP, socket.TCP_USER_TIMEOUT, 12345)
    sockets += [c, l.accept()[0]]
print(json.dumps([describe(l)] + [describe(s, address(s.getpeername())) for s in sockets[1:]]), flush=True)
sys.stdin.read()
`

// TestLsPython lists 9,800 ends of connections, 50 of which have a Config.
func TestLsPython(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	needsPrograms(t)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Max < 10000 && os.Geteuid() != 0 {
		t.Skipf("no more than %d descriptors here", limit.Max)
	}
	r, all := read(t, exec.Command(findProgram(t, "python3"), "-c", python), plainly)
	if len(all) != 9801 {
		t.Errorf("%d sockets, want 9801", len(all))
	}
	exact(t, r, all)
}

var httpProgram = labtest.NewProgram("http", serveHTTP)

// serveHTTP is an HTTP server and five clients whose connections are idle.
func serveHTTP() int {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go http.Serve(l, http.NotFoundHandler())
	for range 5 {
		answer, err := (&http.Client{Transport: new(http.Transport)}).Head("http://" + l.Addr().String())
		if err != nil {
			fmt.Println(err)
			return 1
		}
		answer.Body.Close()
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// TestLsAgreesWithSS compares the idle connections of programs with what ss(8) has
// of the namespace that they have to themselves.
func TestLsAgreesWithSS(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	needsPrograms(t)
	ss := findProgram(t, "ss")
	for _, tt := range []struct {
		name    string
		start   func(*testing.T, *netlab.Host)
		on, off int    // how many ends have keepalive
		idle    string // and their idle times, each by how many
	}{
		{"Go", func(t *testing.T, h *netlab.Host) {
			hold(t, h.Start, "-n", "20", "-special", "7")
		}, 7, 33, "map[31:7 7200:33]"},
		{"HTTP", func(t *testing.T, h *netlab.Host) {
			start(t, httpProgram.Command(net.JoinHostPort(h.IPv4.String(), "0")), h.Start).Line(t)
		}, 10, 0, "map[15:10]"},
		{"HTTP by IPv6", func(t *testing.T, h *netlab.Host) {
			start(t, httpProgram.Command(net.JoinHostPort(h.IPv6.String(), "0")), h.Start).Line(t)
		}, 10, 0, "map[15:10]"},
		{"PostgreSQL", func(t *testing.T, h *netlab.Host) {
			labtest.StartPostgres(t, h)
			conninfo := "user=postgres dbname=postgres host=" + h.IPv4.String()
			for _, more := range []string{"", "keepalives=0", "keepalives=0", "keepalives_idle=77", "options='-c tcp_keepalives_idle=99'"} {
				client(t, h, `SELECT 6 * 7;`, "42", "psql", "-XAt", conninfo+" "+more)
			}
		}, 8, 2, "map[77:1 99:1 7200:8]"},
		{"Redis", func(t *testing.T, h *netlab.Host) {
			labtest.StartRedis(t, h)
			server := h.IPv4.String()
			for range 3 {
				client(t, h, "PING", "PONG", "redis-cli", "-h", server)
			}
			client(t, h, "CONFIG SET tcp-keepalive 0", "OK", "redis-cli", "-h", server)
			client(t, h, "PING", "PONG", "redis-cli", "-h", server)
		}, 9, 1, "map[15:5 300:4 7200:1]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := labtest.NewHost(t)
			tt.start(t, h)
			var want map[string]int
			for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				cmd := exec.Command(ss, "-Htno")
				var out bytes.Buffer
				cmd.Stdout = &out
				labtest.Need(t, h.Start(cmd))
				if err := cmd.Wait(); err != nil {
					t.Fatal(err)
				}
				want = map[string]int{}
				busy := false
				for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
					f := strings.Fields(line)
					armed := strings.Contains(line, "timer:(keepalive,")
					busy = busy || !armed && strings.Contains(line, "timer:") || f[1] != "0" || f[2] != "0"
					want[fmt.Sprint(f[0], " ", f[3], " ", f[4], " ", armed)]++
				}
				if !busy {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("connections are not idle:\n%s", &out)
				}
			}
			var ns uint64
			labtest.Need(t, h.Do(func() (err error) { ns, err = namespaceOf("/proc/thread-self"); return err }))
			sockets, _ := list(t)
			got := map[string]int{}
			on, off, idle := 0, 0, map[any]int{}
			for _, s := range sockets {
				if s["netns"] != float64(ns) {
					continue
				}
				state := map[string]string{"established": "ESTAB"}[s["state"].(string)]
				got[fmt.Sprint(state, " ", s["local"], " ", s["remote"], " ", s["enable"])]++
				if idle[s["idle_seconds"]]++; s["enable"] == true {
					on++
				} else {
					off++
				}
			}
			if !maps.Equal(got, want) {
				t.Errorf("ls has %v\nss has %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
			if on != tt.on || off != tt.off || fmt.Sprint(idle) != tt.idle {
				t.Errorf("%d on, %d off, idle times %v, want %d, %d, %s", on, off, idle, tt.on, tt.off, tt.idle)
			}
		})
	}
}
