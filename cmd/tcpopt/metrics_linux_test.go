package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// sampleCensus has commands of odd names, three of which are the same in the end,
// and every kind of connection.
func sampleCensus() *census.Census {
	times := func(idle time.Duration) tcpopt.Config {
		return tcpopt.Config{KeepAlive: tcpopt.On, Idle: idle, Interval: 10 * time.Second, Count: 1}
	}
	unowned := 7
	return &census.Census{
		Sockets: []census.Socket{
			{Command: "a\\\"b", Config: times(20 * time.Second)},
			{Command: "a\\\"b", Config: times(20*time.Second + 1), Probes: 1},
			{Command: "a\\\"b", Config: times(50 * time.Second), Stuck: true},
			{Command: "a\\\"b", Config: times(290 * time.Second), Shut: true},
			{Command: "a\\\"b", Config: times(890 * time.Second)},
			{Command: "a\\\"b", Config: times(7190 * time.Second)},
			{Command: "a\\\"b", Config: times(7191 * time.Second)},
			{Command: "a\\\"b"},
			{Command: "x\xff\xfe"},
			{Command: "x\n"},
			{Command: "x?"},
		},
		Denied:  []census.Denial{{PID: 1, Reason: census.ListingDenied}, {PID: 2, Reason: census.ListingDenied}, {PID: 3, Reason: census.Gone}},
		Unowned: &unowned,
	}
}

// TestIntervalAboveIdle has the one thing in which DetectionTime of Linux is not
// idle + count × interval, 21 s, without a user timeout.
func TestIntervalAboveIdle(t *testing.T) {
	s := census.Socket{Command: "a", Config: tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: 20 * time.Second, Count: 1}}
	var b bytes.Buffer
	printMetrics(&b, &census.Census{Sockets: []census.Socket{s}}, "command", 0)
	for _, line := range []string{`within_seconds="30"} 0`, `within_seconds="60"} 1`} {
		if !strings.Contains(b.String(), line+"\n") {
			t.Errorf("no %q in\n%s", line, &b)
		}
	}
	if got := settings(&s, s.Config); !strings.Contains(got, "noticed: idle 40s") {
		t.Errorf("settings are %q, want 40 s", got)
	}
	p := newPlan(40*time.Second, s.Config)
	if len(p.Idle) != 2 || p.Idle[0].at != 20*time.Second || p.Idle[1].at != 40*time.Second {
		t.Errorf("a plan of it is %+v, want a probe after 20 s and the end after 40 s", p.Idle)
	}
}

func TestMetrics(t *testing.T) {
	var b bytes.Buffer
	printMetrics(&b, sampleCensus(), "command", 1500*time.Microsecond)
	const want = `# HELP tcpopt_connections TCP connections of the processes that could be read.
# TYPE tcpopt_connections gauge
tcpopt_connections{command="a\\\"b",keepalive="off"} 1
tcpopt_connections{command="a\\\"b",keepalive="on"} 7
tcpopt_connections{command="x?",keepalive="off"} 3
tcpopt_connections{command="x?",keepalive="on"} 0
# HELP tcpopt_connections_noticed TCP connections that notice a dead peer within that time if nothing is in flight. Cumulative: +Inf has all, also those that never would.
# TYPE tcpopt_connections_noticed gauge
tcpopt_connections_noticed{command="a\\\"b",within_seconds="30"} 1
tcpopt_connections_noticed{command="a\\\"b",within_seconds="60"} 3
tcpopt_connections_noticed{command="a\\\"b",within_seconds="300"} 4
tcpopt_connections_noticed{command="a\\\"b",within_seconds="900"} 5
tcpopt_connections_noticed{command="a\\\"b",within_seconds="7200"} 6
tcpopt_connections_noticed{command="a\\\"b",within_seconds="+Inf"} 8
tcpopt_connections_noticed{command="x?",within_seconds="30"} 0
tcpopt_connections_noticed{command="x?",within_seconds="60"} 0
tcpopt_connections_noticed{command="x?",within_seconds="300"} 0
tcpopt_connections_noticed{command="x?",within_seconds="900"} 0
tcpopt_connections_noticed{command="x?",within_seconds="7200"} 0
tcpopt_connections_noticed{command="x?",within_seconds="+Inf"} 3
# HELP tcpopt_connections_kept_alive TCP connections that while idle carry something at least once in that time. Cumulative: +Inf has all, also those without keepalive.
# TYPE tcpopt_connections_kept_alive gauge
tcpopt_connections_kept_alive{command="a\\\"b",within_seconds="60"} 3
tcpopt_connections_kept_alive{command="a\\\"b",within_seconds="240"} 3
tcpopt_connections_kept_alive{command="a\\\"b",within_seconds="350"} 4
tcpopt_connections_kept_alive{command="a\\\"b",within_seconds="600"} 4
tcpopt_connections_kept_alive{command="a\\\"b",within_seconds="900"} 5
tcpopt_connections_kept_alive{command="a\\\"b",within_seconds="7200"} 7
tcpopt_connections_kept_alive{command="a\\\"b",within_seconds="+Inf"} 8
tcpopt_connections_kept_alive{command="x?",within_seconds="60"} 0
tcpopt_connections_kept_alive{command="x?",within_seconds="240"} 0
tcpopt_connections_kept_alive{command="x?",within_seconds="350"} 0
tcpopt_connections_kept_alive{command="x?",within_seconds="600"} 0
tcpopt_connections_kept_alive{command="x?",within_seconds="900"} 0
tcpopt_connections_kept_alive{command="x?",within_seconds="7200"} 0
tcpopt_connections_kept_alive{command="x?",within_seconds="+Inf"} 3
# HELP tcpopt_connections_busy_unbounded TCP connections that with data in flight leave it to the system when to give up on a dead peer.
# TYPE tcpopt_connections_busy_unbounded gauge
tcpopt_connections_busy_unbounded{command="a\\\"b"} 8
tcpopt_connections_busy_unbounded{command="x?"} 3
# HELP tcpopt_connections_suspect TCP connections with unanswered probes, data stuck or the peer's window shut.
# TYPE tcpopt_connections_suspect gauge
tcpopt_connections_suspect{command="a\\\"b"} 3
tcpopt_connections_suspect{command="x?"} 0
# HELP tcpopt_processes_unreadable Processes whose connections could not be read, or not all of them.
# TYPE tcpopt_processes_unreadable gauge
tcpopt_processes_unreadable{reason="listing_denied"} 2
tcpopt_processes_unreadable{reason="listing_denied_by_security_module"} 0
tcpopt_processes_unreadable{reason="hidden"} 0
tcpopt_processes_unreadable{reason="taking_denied_by_yama"} 0
tcpopt_processes_unreadable{reason="taking_denied_by_seccomp"} 0
tcpopt_processes_unreadable{reason="taking_denied_by_security_module"} 0
tcpopt_processes_unreadable{reason="foreign_net_cls"} 0
tcpopt_processes_unreadable{reason="kernel_too_old"} 0
tcpopt_processes_unreadable{reason="kernel_too_old_for_threads"} 0
tcpopt_processes_unreadable{reason="failed"} 0
# HELP tcpopt_processes_hidden 1 if the mount option hidepid of /proc hides processes, which are not counted then.
# TYPE tcpopt_processes_hidden gauge
tcpopt_processes_hidden 0
# HELP tcpopt_sockets_unowned TCP sockets of this network namespace, listening ones too, with no owner among the processes read.
# TYPE tcpopt_sockets_unowned gauge
tcpopt_sockets_unowned 7
# HELP tcpopt_scan_duration_seconds How long it took to read all this.
# TYPE tcpopt_scan_duration_seconds gauge
tcpopt_scan_duration_seconds 0.0015
`
	if got := b.String(); got != want {
		t.Errorf("printed\n%swant\n%s", got, want)
	}

	b.Reset()
	printMetrics(&b, &census.Census{}, "command", 0)
	if got := b.String(); strings.Contains(got, "command=") {
		t.Errorf("of nothing, printed\n%s", got)
	}
}

func TestMetricsExact(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	// Many, so that they are among the first whatever else runs here, these tests too.
	pid := strconv.Itoa(os.Getpid())
	by := func(name string) func(*exec.Cmd) error {
		path := renamed(t, name)
		return func(cmd *exec.Cmd) error { cmd.Path = path; return cmd.Start() }
	}
	hold(t, by("multi"+pid), "-mptcp", "-n", "110", "-special", "10")
	hold(t, by("odd\n\"\\\xff"+pid), "-n", "120", "-special", "50")
	status, stdout, stderr := command("metrics")
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q", status, stderr)
	}
	got := ""
	for _, line := range strings.SplitAfter(stdout, "\n") {
		if strings.Contains(line, `?`+pid+`"`) || strings.Contains(line, `"multi`+pid+`"`) {
			got += line
		}
	}
	want := strings.NewReplacer("multi", "multi"+pid, `\\?`, `\\?`+pid).Replace(`tcpopt_connections{command="multi",keepalive="off"} 210
tcpopt_connections{command="multi",keepalive="on"} 10
tcpopt_connections{command="odd?\"\\?",keepalive="off"} 190
tcpopt_connections{command="odd?\"\\?",keepalive="on"} 50
tcpopt_connections_noticed{command="multi",within_seconds="30"} 0
tcpopt_connections_noticed{command="multi",within_seconds="60"} 0
tcpopt_connections_noticed{command="multi",within_seconds="300"} 10
tcpopt_connections_noticed{command="multi",within_seconds="900"} 10
tcpopt_connections_noticed{command="multi",within_seconds="7200"} 10
tcpopt_connections_noticed{command="multi",within_seconds="+Inf"} 220
tcpopt_connections_noticed{command="odd?\"\\?",within_seconds="30"} 0
tcpopt_connections_noticed{command="odd?\"\\?",within_seconds="60"} 50
tcpopt_connections_noticed{command="odd?\"\\?",within_seconds="300"} 50
tcpopt_connections_noticed{command="odd?\"\\?",within_seconds="900"} 50
tcpopt_connections_noticed{command="odd?\"\\?",within_seconds="7200"} 50
tcpopt_connections_noticed{command="odd?\"\\?",within_seconds="+Inf"} 240
tcpopt_connections_kept_alive{command="multi",within_seconds="60"} 10
tcpopt_connections_kept_alive{command="multi",within_seconds="240"} 10
tcpopt_connections_kept_alive{command="multi",within_seconds="350"} 10
tcpopt_connections_kept_alive{command="multi",within_seconds="600"} 10
tcpopt_connections_kept_alive{command="multi",within_seconds="900"} 10
tcpopt_connections_kept_alive{command="multi",within_seconds="7200"} 10
tcpopt_connections_kept_alive{command="multi",within_seconds="+Inf"} 220
tcpopt_connections_kept_alive{command="odd?\"\\?",within_seconds="60"} 50
tcpopt_connections_kept_alive{command="odd?\"\\?",within_seconds="240"} 50
tcpopt_connections_kept_alive{command="odd?\"\\?",within_seconds="350"} 50
tcpopt_connections_kept_alive{command="odd?\"\\?",within_seconds="600"} 50
tcpopt_connections_kept_alive{command="odd?\"\\?",within_seconds="900"} 50
tcpopt_connections_kept_alive{command="odd?\"\\?",within_seconds="7200"} 50
tcpopt_connections_kept_alive{command="odd?\"\\?",within_seconds="+Inf"} 240
tcpopt_connections_busy_unbounded{command="multi"} 220
tcpopt_connections_busy_unbounded{command="odd?\"\\?"} 190
tcpopt_connections_suspect{command="multi"} 0
tcpopt_connections_suspect{command="odd?\"\\?"} 0
`)
	if got != want {
		t.Errorf("printed\n%swant\n%s", got, want)
	}
	if !regexp.MustCompile(`(?m)^tcpopt_scan_duration_seconds [0-9.e-]+$`).MatchString(stdout) {
		t.Errorf("no duration in\n%s", stdout)
	}
}

func TestMetricsPromtool(t *testing.T) {
	findProgram(t, "promtool")
	needsTaking(t)
	t.Parallel()
	check := func(name, file, want string) {
		r := start(t, exec.Command("/bin/sh", "-c", `promtool check metrics <"$0" 2>&1; echo "status $?"`, file), plainly)
		if said, err := io.ReadAll(r.Out); err != nil || !regexp.MustCompile(want).Match(said) {
			t.Errorf("%s: promtool says %q, %v, want %s", name, said, err, want)
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "real.prom")
	if status, stdout, stderr := command("metrics", "-o", file); status != 0 || stdout != "" || stderr != "" {
		t.Fatalf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	check("of this machine", file, `^status 0\n$`)
	for _, c := range []*census.Census{sampleCensus(), {}} {
		var b bytes.Buffer
		printMetrics(&b, c, "command", time.Second)
		file := filepath.Join(dir, "made.prom")
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("of %d sockets", len(c.Sockets)), file, `^status 0\n$`)
	}
	bad := filepath.Join(dir, "bad.prom")
	if err := os.WriteFile(bad, []byte("# TYPE x gauge\nx{le=\"1\"} 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("of what is bad", bad, `^x .*\nx .*\nstatus 3\n$`)
}

// metricsTo runs metrics -o file as another program, as an ordinary user if that
// is wanted.
func metricsTo(t testing.TB, file string, ordinary bool) (status int, stderr string) {
	t.Helper()
	cmd := theCommand.Command("metrics", "-o", file)
	if ordinary && os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	var b bytes.Buffer
	cmd.Stderr = &b
	r := start(t, cmd, plainly)
	if out, err := io.ReadAll(r.Out); err != nil || len(out) > 0 {
		t.Errorf("stdout %q, %v", out, err)
	}
	cmd.Wait()
	return cmd.ProcessState.ExitCode(), b.String()
}

func TestMetricsFile(t *testing.T) {
	needsTaking(t)
	// Not parallel: the mask is the whole process's.
	defer syscall.Umask(syscall.Umask(0o077))
	dir := t.TempDir()
	file := filepath.Join(dir, "tcpopt.prom")
	for range 2 { // The second time, there is one.
		if status, stderr := metricsTo(t, file, false); status != 0 || stderr != "" {
			t.Fatalf("status %d, stderr %q", status, stderr)
		}
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o644 {
		t.Errorf("%v, %v, want mode 644", info.Mode(), err)
	}
	text, _ := os.ReadFile(file)
	if !bytes.HasPrefix(text, []byte("# HELP tcpopt_connections ")) || !bytes.HasSuffix(text, []byte("\n")) {
		t.Errorf("wrote %q", text)
	}

	link := filepath.Join(dir, "link.prom")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(closed, "tcpopt.prom")
	if err := os.WriteFile(old, []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(closed, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(closed, 0o700)
	for _, tt := range []struct{ name, file, want string }{
		{"link", link, "not a regular file"},
		{"directory", dir, "not a regular file"},
		{"device", "/dev/null", "not a regular file"},
		{"no directory", filepath.Join(dir, "none", "x.prom"), "no such file or directory"},
		{"directory without permission", old, "permission denied"},
	} {
		status, stderr := metricsTo(t, tt.file, true)
		if status != 1 || !strings.HasPrefix(stderr, "tcpopt metrics: ") || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: status %d, stderr %q, want 1 and a line with %q", tt.name, status, stderr, tt.want)
		}
	}
	if text, err := os.ReadFile(old); string(text) != "old\n" {
		t.Errorf("what could not be replaced is %q, %v", text, err)
	}
	var names []string
	for _, d := range []string{dir, closed} {
		entries, err := os.ReadDir(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	if got, want := strings.Join(names, " "), "closed link.prom tcpopt.prom tcpopt.prom"; got != want {
		t.Errorf("left %q, want %q", got, want)
	}
}

// TestMetricsFullDisk has a file system with room for one page.
func TestMetricsFullDisk(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	stdout, stderr := inHost(t, `exec unshare --mount /bin/sh -ec '
mount -t tmpfs -o size=4k none /mnt
cd /mnt
echo old >tcpopt.prom
"$0" metrics -o tcpopt.prom || echo "status $?"
cat tcpopt.prom
ls -A' "$0"`)
	if stdout != "status 1\nold\ntcpopt.prom\n" || !regexp.MustCompile(`^tcpopt metrics: write \S+: no space left on device\n$`).MatchString(stderr) {
		t.Errorf("stdout %q, stderr %q", stdout, stderr)
	}
}

// TestMetricsWhole reads a file while it is replaced.
func TestMetricsWhole(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tcpopt.prom")
	texts := []string{strings.Repeat("a", 1<<18), strings.Repeat("b", 1<<17)}
	replace := func(i int) {
		if err := replaceFile(file, []byte(texts[i%2])); err != nil {
			t.Error(err)
		}
	}
	replace(0)
	end, reads := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { reads <- n }()
		for ; ; n++ {
			select {
			case <-end:
				return
			default:
			}
			if text, err := os.ReadFile(file); err != nil || string(text) != texts[0] && string(text) != texts[1] {
				t.Errorf("read %d bytes, %v", len(text), err)
				return
			}
		}
	}()
	for i := range 200 {
		replace(i)
	}
	close(end)
	t.Logf("%d reads during 200 replacements", <-reads)
}

// TestMetricsLeft has files that runs have left which were killed.
func TestMetricsLeft(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, age time.Duration) {
		t.Helper()
		labtest.Need(t, os.WriteFile(path(name), nil, 0o600))
		then := time.Now().Add(-age)
		labtest.Need(t, os.Chtimes(path(name), then, then))
	}
	write(".tcpopt-1", time.Hour)
	write(".tcpopt-22", 11*time.Second)
	write(".tcpopt-333", -time.Hour) // Young, however long this test takes: of a run that has yet to lock it.
	write(".tcpopt-4444", time.Hour) // Of a run that takes its time.
	write(".tcpopt-mine", time.Hour)
	write("tcpopt-5", time.Hour)
	labtest.Need(t, os.Mkdir(path(".tcpopt-6"), 0o700))
	labtest.Need(t, os.Symlink(path("tcpopt-5"), path(".tcpopt-7")))
	f, err := os.Open(path(".tcpopt-4444"))
	labtest.Need(t, err)
	defer f.Close()
	if !lock(f) {
		t.Skip("no locks here")
	}
	if status, stderr := metricsTo(t, path("x.prom"), false); status != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q", status, stderr)
	}
	entries, err := os.ReadDir(dir)
	labtest.Need(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	const want = ".tcpopt-333 .tcpopt-4444 .tcpopt-6 .tcpopt-7 .tcpopt-mine tcpopt-5 x.prom"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("left %q, want %q", got, want)
	}
}

// TestMetricsEvery has a file that is written again and again, and a directory that
// goes away, which is said once.
func TestMetricsEvery(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "textfiles")
	labtest.Need(t, os.Mkdir(dir, 0o755))
	file := filepath.Join(dir, "tcpopt.prom")
	p := start(t, theCommand.Command("metrics", "-o", file, "-every", "1s"), plainly)
	var before os.FileInfo
	for n, deadline := 0, time.Now().Add(time.Minute); n < 3; time.Sleep(20 * time.Millisecond) {
		if now, err := os.Stat(file); err == nil && !os.SameFile(before, now) {
			n++
			before = now
		}
		if time.Now().After(deadline) {
			t.Fatalf("written %d times in a minute", n)
		}
	}
	labtest.Need(t, os.Rename(dir, dir+"-gone"))
	if line := p.Line(t); !strings.Contains(line, "no such file or directory") {
		t.Errorf("without its directory it says %q", line)
	}
	time.Sleep(2500 * time.Millisecond)
	labtest.Need(t, os.Rename(dir+"-gone", dir))
	if rest := end(t, p, syscall.SIGTERM); len(rest) != 1 || rest[0] != "" {
		t.Errorf("then it says %q", rest)
	}
	if err := p.ProcessState.ExitCode(); err != 0 {
		t.Errorf("status %d", err)
	}
}
