package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

// A box is a program in namespaces of its own of network and processes, and where
// that is allowed in a control group named as Docker names those of a container.
type box struct {
	*labtest.Process
	id      string // empty: without a group
	pid     string // here; there it is 1
	netns   string
	sockets []held
}

// newBox has n connections of 127.0.0.1 to itself, with ports that another box has
// too.
func newBox(t testing.TB, digits string, n int) box {
	t.Helper()
	h := labtest.NewHost(t)
	b := box{}
	cmd := holdProgram.Command("-port", "7000", "-n", strconv.Itoa(n))
	b.Process, b.sockets = read(t, cmd, func(cmd *exec.Cmd) error {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
		err := h.Start(cmd)
		if err != nil {
			t.Skipf("no namespaces of processes here: %v", err)
		}
		return nil
	})
	b.pid = b.PID()
	ns, err := namespaceOf("/proc/" + b.pid)
	labtest.Need(t, err)
	b.netns = strconv.FormatUint(ns, 10)
	id := strings.Repeat(digits+fmt.Sprintf("%014x", os.Getpid()), 4)
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"} {
		dir := filepath.Join(root, "docker-"+id+".scope")
		if _, err := os.Stat(root + "/cgroup.procs"); err != nil || os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() {
			b.In.Close()
			b.Wait()
			os.Remove(dir)
		})
		labtest.Need(t, os.WriteFile(dir+"/cgroup.procs", []byte(b.pid), 0))
		b.id = id
		break
	}
	return b
}

// TestContainers distinguishes two that have the same addresses and the same command.
func TestContainers(t *testing.T) {
	needsTaking(t)
	needsPrograms(t)
	t.Parallel()
	boxes := map[string]box{"a": newBox(t, "a0", 2), "b": newBox(t, "b0", 3)}
	sockets := map[string]int{"a": 4, "b": 6}
	a, b := boxes["a"], boxes["b"]
	if a.sockets[0].Local != b.sockets[0].Local || a.netns == b.netns {
		t.Fatalf("they listen at %s of %s and %s of %s, want one address of two", a.sockets[0].Local, a.netns, b.sockets[0].Local, b.netns)
	}
	both := []string{"-pid", a.pid, "-pid", b.pid}

	// Each has several names. A process has its number in the namespace of ls.
	for name, one := range boxes {
		words := [][]string{{"-pid", one.pid}, {"-netns", one.netns}}
		unit := ""
		if one.id != "" {
			unit = "docker/" + one.id[:12]
			words = append(words, []string{"-unit", unit}, []string{"-unit", one.id}, []string{"-unit", one.id[:12]}, []string{"-unit", "docker-" + one.id + ".scope"})
		}
		for _, w := range words {
			args := append([]string{"-remote", "127.0.0.1:7000"}, w...)
			got, whole := list(t, args...)
			if len(got) != sockets[name]/2 { // The clients.
				t.Errorf("ls %q: %d sockets, want %d", args, len(got), sockets[name]/2)
			}
			for _, s := range got {
				if fmt.Sprint(int(s["pid"].(float64))) != one.pid || fmt.Sprint(uint64(s["netns"].(float64))) != one.netns || one.id != "" && s["unit"] != unit {
					t.Errorf("ls %q: a socket of %v, %v, %v", args, s["pid"], s["netns"], s["unit"])
				}
			}
			processes := whole["processes"].([]any)
			if len(processes) != 1 {
				t.Fatalf("ls %q: processes are %v", args, processes)
			}
			p := processes[0].(map[string]any)
			if p["uid"] != float64(os.Geteuid()) || !strings.HasSuffix(p["cmdline"].(string), " -port 7000 -n "+strconv.Itoa(sockets[name]/2)) {
				t.Errorf("ls %q: the process is %v", args, p)
			}
			if u := p["unit"].(map[string]any); one.id != "" && (u["container"] != one.id || u["runtime"] != "docker" || u["name"] != unit || u["pod"] != nil) {
				t.Errorf("ls %q: the unit is %v", args, u)
			}
			status, stdout, stderr := command(append([]string{"set", "-on", "-dry-run"}, args...)...)
			if n := strings.Count(stdout, "\n  planned "); status != 0 || n != sockets[name]/2 {
				t.Errorf("set %q: status %d, %d sockets, stderr %q", args, status, n, stderr)
			}
		}
	}

	// Totals, in text and in JSON.
	kinds := map[string]map[string]int{"netns": {a.netns: 4, b.netns: 6}}
	if a.id != "" && b.id != "" {
		kinds["unit"] = map[string]int{"docker/" + a.id[:12]: 4, "docker/" + b.id[:12]: 6}
	}
	for by, want := range kinds {
		_, whole := list(t, append(both, "-by", by)...)
		got := map[string]int{}
		for _, total := range whole["totals"].([]any) {
			total := total.(map[string]any)
			got[total["by"].(string)] = int(total["sockets"].(float64))
		}
		if !maps.Equal(got, want) {
			t.Errorf("-by %s: %v, want %v", by, got, want)
		}
		_, text, _ := command(append([]string{"ls", "-by", by}, both...)...)
		for key, n := range want {
			if !regexp.MustCompile(fmt.Sprintf(`(?m)^%s +%d +%d `, key, n, n)).MatchString(text) {
				t.Errorf("-by %s: no %s with %d in\n%s", by, key, n, text)
			}
		}
		// Other tests run here too, whose places may be these.
		status, text, stderr := command("metrics", "-by", by)
		var seen []string
		for key, n := range want {
			if strings.Contains(text, fmt.Sprintf("tcpopt_connections{%s=%q,keepalive=\"off\"} %d\n", by, key, n)) {
				seen = append(seen, key)
			}
		}
		if status != 0 || stderr != "" || len(seen) != len(want) && strings.Count(text, "tcpopt_connections_suspect{") <= ranked {
			t.Errorf("metrics -by %s: status %d, stderr %q, with %q\n%s", by, status, stderr, seen, text)
		}
	}
}
