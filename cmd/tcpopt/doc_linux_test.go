package main

import (
	"bytes"
	"go/doc/comment"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// documentedCensus is what the examples of ls, set and metrics have found.
func documentedCensus() *census.Census {
	on := tcpopt.Config{KeepAlive: tcpopt.On, Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 9}
	off := on
	off.KeepAlive = tcpopt.Off
	socket := func(pid, fd int, remote string, config tcpopt.Config) census.Socket {
		return census.Socket{
			PID: pid, Command: "postgres", FD: fd, Protocol: "tcp", State: "established",
			Local: netip.MustParseAddrPort("10.0.0.5:5432"), Remote: netip.MustParseAddrPort(remote),
			Config: config, HasUserTimeout: true, HasPending: true, Limit: &census.Limit{Retries: 15, Least: 924600 * time.Millisecond}, Counted: true, Heard: true, Silence: 9 * time.Second,
		}
	}
	return &census.Census{Sockets: []census.Socket{
		socket(4711, 9, "10.0.0.7:41874", on),
		socket(4712, 9, "10.0.0.8:50230", off),
	}}
}

// TestDoc holds that the package's comment has a heading for each verb, below which
// are an example and what it prints.
func TestDoc(t *testing.T) {
	t.Setenv("COLUMNS", "")
	var c, metrics bytes.Buffer
	printCensus(&c, documentedCensus(), "", newTerminal(80))
	printMetrics(&metrics, documentedCensus(), "command", 1500*time.Microsecond)
	within, err := tcpopt.Within(30 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	change := change{idle: &within.Idle, interval: &within.Interval, count: &within.Count, timeout: &within.UserTimeout}
	on := true
	change.enable = &on
	var jobs []*job
	found := documentedCensus()
	for i := range found.Sockets {
		j := newJob(&found.Sockets[i], &change, guards{})
		j.foresee()
		jobs = append(jobs, j)
	}
	var set bytes.Buffer
	printJobs(&set, jobs, true)
	_, plan, _ := command("plan", "30s", "libpq")
	version := describeBuild(&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "8f14e45fceea167a5a36dedd4bea2543"}, {Key: "vcs.time", Value: "2030-01-02T03:04:05Z"}}})
	version = strings.Replace(version, runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH, "go1.27.3 linux/amd64", 1)

	examples := map[string]string{}
	var headings []string
	for _, block := range documentation().Content {
		switch block := block.(type) {
		case *comment.Heading:
			headings = append(headings, plainText(block.Text))
		case *comment.Code:
			for _, example := range strings.Split("\n"+block.Text, "\n$ ")[1:] { // What precedes the first is none.
				line, printed, _ := strings.Cut(strings.TrimSuffix(example, "\n")+"\n", "\n")
				examples[line] = printed
			}
		}
	}
	for _, v := range verbs() {
		if !strings.Contains(strings.Join(headings, "\n")+"\n", "tcpopt "+v.name+"\n") {
			t.Errorf("no heading for %s among %q", v.name, headings)
		}
		has := false
		for line := range examples {
			has = has || strings.Contains(line, "tcpopt "+v.name)
		}
		if !has {
			t.Errorf("no example of %s", v.name)
		}
	}
	for line, want := range map[string]string{
		"tcpopt ls -name postgres":                       c.String(),
		"tcpopt set -name postgres -within 30s -dry-run": set.String(),
		"tcpopt plan 30s libpq":                          plan,
		"tcpopt metrics":                                 metrics.String(),
		"tcpopt version":                                 version + "\n",
	} {
		got, ok := examples[line]
		if start, cut := strings.CutSuffix(got, "...\n"); cut && strings.HasPrefix(want, start) {
			continue
		}
		if !ok || got != want {
			t.Errorf("documented for %s is\n%s, it prints\n%s", line, got, want)
		}
	}

	needsPrograms(t)
	h := labtest.NewHost(t) // With the kernel's own sysctls.
	cmd := exec.Command("/proc/self/exe", "defaults")
	var printed bytes.Buffer
	cmd.Env, cmd.Stdout = append(os.Environ(), theCommand.Env()), &printed
	labtest.Need(t, h.Start(cmd))
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := examples["tcpopt defaults"]; got != printed.String() {
		t.Errorf("documented for tcpopt defaults is\n%s, it prints\n%s", got, &printed)
	}
}
