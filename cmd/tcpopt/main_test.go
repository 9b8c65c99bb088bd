package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

// Most tests wait for timers, not for a processor. A census collects no garbage, and
// where several overlap, as they do here alone, nobody else does.
func TestMain(m *testing.M) {
	debug.SetMemoryLimit(512 << 20)
	labtest.Main(m, 16)
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"nothing", nil, 2, "usage: tcpopt"},
		{"unknown command", []string{"nonsense"}, 2, `unknown command "nonsense"`},
		{"unknown flag", []string{"defaults", "-nonsense"}, 2, "-nonsense"},
		{"bad flag value", []string{"defaults", "-json=2h"}, 2, `"2h"`},
		{"argument", []string{"defaults", "more"}, 2, `unexpected argument "more"`},
		{"help", []string{"help"}, 0, "usage: tcpopt"},
		{"help of a command", []string{"defaults", "-h"}, 0, "example: tcpopt defaults"},
		{"help with a command", []string{"help", "defaults"}, 0, "example: tcpopt defaults"},
		{"help with help", []string{"help", "help"}, 0, "usage: tcpopt command"},
		{"help with more", []string{"help", "ls", "more"}, 2, `unexpected argument "more"`},
		{"flag of help with a command", []string{"-h", "ls"}, 2, `unexpected argument "ls"`},
		{"help with nonsense", []string{"help", "nonsense"}, 2, `unknown command "nonsense"`},
	} {
		var stdout, stderr bytes.Buffer
		status := run(tt.args, &stdout, &stderr)
		said, silent := &stderr, &stdout
		if tt.status == 0 {
			said, silent = &stdout, &stderr
		}
		if tt.args != nil && tt.status == 2 && !strings.Contains(stderr.String(), "usage: tcpopt") {
			t.Errorf("%s: no usage in %q", tt.name, &stderr)
		}
		if status != tt.status || !strings.Contains(said.String(), tt.want) || silent.Len() > 0 {
			t.Errorf("%s: status %d, stdout %q, stderr %q, want %d and %q", tt.name, status, &stdout, &stderr, tt.status, tt.want)
		}
	}
}

func TestConclude(t *testing.T) {
	plain, other := errors.New("tcpopt: one"), errors.New("two")
	for _, tt := range []struct {
		name   string
		err    error
		status int
		want   string
	}{
		{"none", nil, done, ""},
		{"plain", plain, failed, "who: one\n"},
		{"joined", errors.Join(plain, other), failed, "who: one\nwho: two\n"},
		{"misused", misused(plain), misuse, "who: one\n"},
		{"misused, wrapped", fmt.Errorf("three: %w", misused(other)), misuse, "who: three: two\n"},
		{"help", &exit{status: done}, done, ""},
		{"found", &exit{status: found}, found, ""},
	} {
		var stderr bytes.Buffer
		if status := conclude(&stderr, "who", tt.err); status != tt.status || stderr.String() != tt.want {
			t.Errorf("%s: status %d, stderr %q, want %d and %q", tt.name, status, &stderr, tt.status, tt.want)
		}
	}
}

// TestMisuse asks verbs for what they cannot do: one line says so, and no
// process is looked at.
func TestMisuse(t *testing.T) {
	for _, tt := range []struct{ name, args, want string }{
		{"unknown flag", "ls -nonsense", "-nonsense"},
		{"argument", "ls more", `unexpected argument "more"`},
		{"process by a word", "ls -pid init", `"init"`},
		{"process 0", "ls -pid 0", "number of a process"},
		{"negative process", "ls -pid -7", "number of a process"},
		{"process too big", "ls -pid 4294967297", "number of a process"},
		{"no command", "ls -name=", "name of a command"},
		{"defaults of two processes", "defaults -pid 1 -pid 2", "-pid: given twice"},
		{"defaults of no process", "defaults -pid 0", "number of a process"},
		{"no command line", "ls -cmdline=", "part of a command line"},
		{"no user", "ls -user=", "want the name of a user, or a number"},
		{"user of nobody", "ls -user nosuchuserhere", "want the name of a user, or a number"},
		{"no unit", "ls -unit=", "name of a unit, a container or a pod"},
		{"no namespace", "ls -netns=", "number or the name of a network namespace"},
		{"no address", "ls -local 10.0.0", "want ADDR, CIDR, :port, ADDR:port or CIDR:port"},
		{"no network", "ls -remote 10.0.0.0/40", `"10.0.0.0/40"`},
		{"no port", "ls -remote :port", `":port"`},
		{"no state", "ls -state happy", "want one of established"},
		{"state that no process's socket has", "ls -state time-wait", "want one of established"},
		{"no duration", "ls -slower 60", "want a duration"},
		{"negative duration", "ls -slower -1m", "want more than 0"},
		{"quieter than nothing", "ls -quieter 0s", "want more than 0"},
		{"totals by what", "ls -by colour", "want command or remote or cmdline or user or unit or netns"},
		{"flag without value", "ls -slower", "needs an argument"},
		{"set without process", "set -all -on", "-all needs -pid, -name, -cmdline, -user or -unit"},
		{"set of all listed", "set -pid 1 -all -slower 1m -on", "-all excludes"},
		{"ls by what set does", "ls -off", "-without-keepalive lists the sockets whose keepalive is off"},
		{"a time twice", "ls -slower 1m -slower 2m", "-slower: given twice"},
		{"a switch twice", "set -pid 1 -all -on -on", "on: given twice"},
		{"a descriptor twice", "set -pid 1 -fd 3 -fd 4 -on", "-fd: given twice"},
		{"zone of a global address", "ls -remote 2001:db8::1%eth0", "only a link-local address has a zone"},
		{"IPv6 network and port without brackets", "ls -remote fd00::/8:80", "want ADDR"},
		{"set without sockets", "set -pid 1 -on", "-quieter or -suspect is needed"},
		{"set of processes in two ways", "set -name x -pid 1 -all -on", "-pid and -name exclude each other"},
		{"set nothing", "set -pid 1 -all", "set what?"},
		{"set all and one", "set -pid 1 -all -fd 3 -on", "-all excludes"},
		{"set all and some", "set -pid 1 -all -remote :80 -on", "-all excludes"},
		{"descriptor of many", "set -pid 1 -pid 2 -fd 3 -on", "-fd needs one -pid"},
		{"descriptor of a name", "set -name x -fd 3 -on", "-fd needs one -pid"},
		{"negative descriptor", "set -pid 1 -fd -3 -on", "number of a descriptor"},
		{"on and off", "set -pid 1 -all -on -off", "-on and -off exclude each other"},
		{"within and on", "set -pid 1 -all -within 30s -on", "-within excludes"},
		{"within and idle", "set -pid 1 -all -within 30s -idle 3s", "-within excludes"},
		{"within too little", "set -pid 1 -all -within 1s", "the least is 3s"},
		{"within no duration", "set -pid 1 -all -within soon", "want a duration"},
		{"no user timeout without within", "set -pid 1 -all -on -no-user-timeout", "-no-user-timeout goes with -within"},
		{"idle of 0", "set -pid 1 -all -idle 0s", "want more than 0"},
		{"idle beyond the range", "set -pid 1 -all -idle 100000s", "out of range"},
		{"interval beyond the range", "set -pid 1 -all -interval 100000s", "out of range"},
		{"count beyond the range", "set -pid 1 -all -count 128", "out of range"},
		{"count of 0", "set -pid 1 -all -count 0", "want a number above 0"},
		{"count with more", "set -pid 1 -all -count 3x", "want a number above 0"},
		{"force of nothing", "set -pid 1 -all -on -force", "needs an argument"},
		{"force of something else", "set -pid 1 -all -on -force silent,all", "want some of silent,unacked,window,cgroup"},
		{"every too little", "set -pid 1 -all -on -yes -every 999ms", "-every: want 1s or more"},
		{"every no time", "set -pid 1 -all -on -yes -every often", "-every: want a duration"},
		{"every dry", "set -pid 1 -all -on -every 10s -dry-run", "-every excludes -dry-run and -fd"},
		{"every of a descriptor", "set -pid 1 -fd 3 -on -yes -every 10s", "-every excludes -dry-run and -fd"},
		{"every without yes", "set -pid 1 -all -on -every 10s", "needs -yes"},
		{"metrics to nowhere", "metrics -o=", "name of a file"},
		{"metrics every too little", "metrics -o x -every 0.5s", "-every: want 1s or more"},
		{"metrics every to nowhere", "metrics -every 10s", "-every needs -o"},
		{"metrics of something", "metrics more", `unexpected argument "more"`},
		{"completion of something", "completion extra", `invalid shell "extra": want bash or zsh or fish`},
		{"completion of two", "completion bash zsh", `unexpected argument "zsh"`},
		{"version of something", "version more", `unexpected argument "more"`},
		{"version as a flag of something", "-version more", `unexpected argument "more"`},
		{"negative user timeout", "set -pid 1 -all -user-timeout -1s", "want 0 or more"},
		{"plan of nothing", "plan -json", "within what time?"},
		{"plan of two", "plan 30s 40s", `no target "40s"`},
		{"plan of two around a flag", "plan 30s -json 40s", `no target "40s"`},
		{"plan for nothing known", "plan 30s nginx apache", `no target "apache"; tcpopt plan -list has those there are`},
		{"plan of a target alone", "plan nginx", `invalid duration "nginx"`},
		{"plan within twice", "plan -within 30s -within 40s", "given twice"},
		{"list and a time", "plan -list 30s", "-list goes with nothing else"},
		{"list and JSON", "plan -list -json", "-list goes with nothing else"},
		{"list and within", "plan -list -within 30s", "-list goes with nothing else"},
		{"days of a sign", "plan 1d-1h", "want a duration"},
		{"days of a fraction", "plan 1.5d", "want a duration"},
		{"days after hours", "plan 1h1d", "want a duration"},
		{"days of nothing", "plan d", "want a duration"},
		{"days too many", "plan 99999d", "want a duration"},
		{"days beyond the range", "plan 2d", "the least is 3s, the most is 36h24m28s"},
		{"plan of a number", "plan 30", "want a duration"},
		{"plan of a word", "plan soon", "want a duration"},
		{"plan of no time", "plan 0s", "want more than 0"},
		{"plan of a negative time", "plan -- -30s", "want more than 0"},
		{"plan of a flag", "plan -30s", "-30s"},
		{"plan of too little", "plan 2.9s", "the least is 3s"},
		{"plan beyond the range", "plan 600h", "the most is"},
		{"demo with an argument", "demo more", `unexpected argument "more"`},
		{"demo within no duration", "demo -within soon", "want a duration"},
		{"demo within nothing", "demo -within 0s", "want more than 0"},
		{"demo within too little", "demo -within 2s", "the least is 3s"},
		{"demo within too much", "demo -within 1000h", "the most is"},
		{"user timeout beyond the range", "set -pid 1 -all -user-timeout 600h", "out of range"},
	} {
		if strings.Contains(tt.want, "range") || strings.Contains(tt.want, "least") || strings.Contains(tt.want, "the most") {
			if runtime.GOOS != "linux" {
				continue // It has its own ranges.
			}
		}
		var stdout, stderr bytes.Buffer
		status := run(strings.Fields(tt.args), &stdout, &stderr)
		if status != 2 || stdout.Len() > 0 || !strings.Contains(stderr.String(), tt.want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%s: status %d, stdout %q, stderr %q, want 2 and a line with %q", tt.name, status, &stdout, &stderr, tt.want)
		}
	}
}

// TestForeign is of the systems that show no sockets of other processes.
func TestForeign(t *testing.T) {
	if runtime.GOOS == "linux" {
		t.Skip("this OS has pidfd_getfd")
	}
	for _, args := range []string{"ls", "set -pid 1 -all -on", "demo", "metrics"} {
		var stdout, stderr bytes.Buffer
		status := run(strings.Fields(args), &stdout, &stderr)
		if status != 1 || stdout.Len() > 0 || !strings.Contains(stderr.String(), "not on "+runtime.GOOS) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%s: status %d, stdout %q, stderr %q, want 1 and a line", args, status, &stdout, &stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, v := range verbs() {
		verb := v.name
		var stdout, stderr bytes.Buffer
		status := run([]string{verb, "-h"}, &stdout, &stderr)
		if status != 0 || stderr.Len() > 0 || !regexp.MustCompile(`\nexample: .*\btcpopt `+verb+`\b.*\n$`).MatchString(stdout.String()) {
			t.Errorf("%s -h: status %d, stdout %q, stderr %q", verb, status, &stdout, &stderr)
		}
		for _, m := range regexp.MustCompile(`(?m)^  (-\S+)`).FindAllStringSubmatch(stdout.String(), -1) {
			if !regexp.MustCompile(`[[( ]` + m[1] + `[]) ]`).MatchString(v.args) {
				t.Errorf("%s -h: no %s in %q", verb, m[1], v.args)
			}
		}
	}
}
