package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/format"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
)

// What plan 30s prints for Go is compiled with these tests.
var (
	//go:embed plan_net_test.go
	compiledNet string
	//go:embed plan_tcpopt_test.go
	compiledTcpopt string
)

const half = 30 * time.Second // of a minute

var inHalf = tcpopt.Config{KeepAlive: tcpopt.On, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3, UserTimeout: half}

func TestPlanCompiles(t *testing.T) {
	texts := filled(inHalf)
	for key, compiled := range map[string]string{"go": compiledNet, "go-tcpopt": compiledTcpopt} {
		// A checkout may have the line ends of the system.
		if want := "package main\n\n" + texts[key]; strings.ReplaceAll(compiled, "\r", "") != want {
			t.Errorf("compiled is\n%s, printed is\n%s", compiled, want)
		}
	}
}

// filled are the texts of a plan within half a minute, by target.
func filled(c tcpopt.Config) map[string]string {
	texts := map[string]string{}
	for _, t := range targets() {
		texts[t.name] = t.fill(half, c)
	}
	return texts
}

func TestPlanTexts(t *testing.T) {
	noTimeout, noCount, long := inHalf, inHalf, inHalf
	noTimeout.UserTimeout = 0
	noCount.Count, noCount.Interval = 0, 500*time.Millisecond
	long.Idle = 32768 * time.Second
	for _, tt := range []struct {
		name       string
		config     tcpopt.Config
		key        string
		has, hasNo string
	}{
		{"user timeout", inHalf, "libpq", "keepalives=1 keepalives_idle=15 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=30000\n", "\n\n"},
		{"no user timeout here, for libpq", noTimeout, "libpq", " keepalives_count=3 tcp_user_timeout=30000\n", "\n\n"},
		{"no user timeout here, for HAProxy", noTimeout, "haproxy", "\tbind :8081 tcp-ut 30s\n", "<"},
		{"no count, no seconds", noCount, "go", "\tInterval: 500 * time.Millisecond,\n\tCount:    -1,\n", "COUNT"},
		{"more than Linux takes", long, "go", "32768 * time.Second", "IDLE"},
	} {
		if text := filled(tt.config)[tt.key]; !strings.Contains(text, tt.has) || strings.Contains(text, tt.hasNo) {
			t.Errorf("%s: text is %s", tt.name, text)
		}
	}
	for config, want := range map[tcpopt.Config]bool{inHalf: true, noTimeout: true, noCount: false, long: false} {
		if got := onLinux(config); got != want {
			t.Errorf("on Linux %+v: %v, want %v", config, got, want)
		}
	}
}

// TestTargets is of what is in every file of the folder.
func TestTargets(t *testing.T) {
	for _, target := range targets() {
		if target.name == all || strings.Trim(target.name, "abcdefghijklmnopqrstuvwxyz-") != "" {
			t.Errorf("%s is no name", target.name)
		}
		if line := fmt.Sprintf("%-10s  %s", target.name, target.title); len(line) > helpWidth || target.title == "" {
			t.Errorf("%s: the line of -list has %d bytes: %s", target.name, len(line), line)
		}
		for _, within := range []time.Duration{3 * time.Second, 14 * time.Second, half, 2 * time.Hour} {
			text := target.fill(within, inHalf)
			if !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") || strings.HasPrefix(text, "\n") || strings.Contains(text, "{{") {
				t.Errorf("%s: within %v the text is %q", target.name, within, text)
			}
			for _, line := range strings.Split(text, "\n") {
				if n := len([]rune(strings.ReplaceAll(line, "\t", "    "))); n > helpWidth && !strings.Contains(line, "=") {
					t.Errorf("%s: within %v a line has %d characters: %s", target.name, within, n, line)
				}
			}
		}
	}
}

// TestTargetsNumbers is of those that have fewer numbers than TCP: by what they
// make of theirs, a dead peer is noticed within the time, and not much earlier.
func TestTargetsNumbers(t *testing.T) {
	number := func(text, pattern string) int {
		m := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if m == nil {
			return 0
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	noticed := map[string]func(text string) int{
		"redis": func(text string) int {
			n := number(text, `(?m)^tcp-keepalive (\d+)$`)
			if n == 0 {
				return 0
			}
			return n + 3*max(n/3, 1)
		},
		"node": func(text string) int {
			n := number(text, `keepAliveInitialDelay: (\d+)000\b`)
			if n == 0 {
				return 0
			}
			return n + 10
		},
		"curl": func(text string) int { return 10 * number(text, `(?m)^keepalive-time = (\d+)$`) },
		"curl 8.9": func(text string) int {
			return number(text, `(?m)^#keepalive-time = (\d+)$`) * (1 + number(text, `(?m)^#keepalive-cnt = (\d+)$`))
		},
		"ssh": func(text string) int {
			return number(text, `ServerAliveInterval (\d+)\n`) * (1 + number(text, `ServerAliveCountMax (\d+)\n`))
		},
		"sshd": func(text string) int {
			return 2 * number(text, `ClientAliveInterval (\d+)\n`) * (1 + number(text, `ClientAliveCountMax (\d+)\n`))
		},
		"grpc": func(text string) int {
			time := number(text, `Time: +(\d+) \* time.Second, // 10 s`)
			if time > 0 && time < 10 {
				t.Errorf("gRPC makes 10 s of %d s", time)
			}
			return time + number(text, `Timeout: +(\d+) \* time.Second`)
		},
	}
	least := map[string]int{"redis": 4, "node": 11, "curl": 10, "grpc": 14, "sshd": 4}
	for name, noticed := range noticed {
		i := slices.IndexFunc(targets(), func(t target) bool { return t.name == strings.Fields(name)[0] })
		for within := 3; within < 200; within++ {
			text := targets()[i].fill(time.Duration(within)*time.Second, inHalf)
			got := noticed(text)
			if within < least[name] {
				if got != 0 || !strings.Contains(strings.Join(strings.Fields(strings.ReplaceAll(text, "#", "")), " "), fmt.Sprintf("%ds is the least", least[name])) {
					t.Fatalf("%s within %d s notices after %d, and should say what the least is:\n%s", name, within, got, text)
				}
				continue
			}
			if got > within || got < within-10 {
				t.Fatalf("%s within %d s notices after %d:\n%s", name, within, got, text)
			}
		}
	}
}

// TestPlan compares with what Within and DetectionTime promise.
func TestPlan(t *testing.T) {
	all := []time.Duration{3 * time.Second, 4 * time.Second, 30*time.Second + 1, time.Minute - 1, 20 * time.Minute, 18 * time.Hour}
	for range 300 {
		all = append(all, 3*time.Second+rand.N(2*time.Hour))
	}
	for _, d := range all {
		var stdout, stderr bytes.Buffer
		status := run([]string{"plan", d.String(), "-json"}, &stdout, &stderr)
		c, err := tcpopt.Within(d)
		if err != nil {
			want := misuse
			if errors.Is(err, errors.ErrUnsupported) {
				want = failed
			}
			if status != want || stdout.Len() > 0 || strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("plan %v: status %d, stdout %q, stderr %q, want %d and a line", d, status, &stdout, &stderr, want)
			}
			continue
		}
		var p plan
		if err := json.Unmarshal(stdout.Bytes(), &p); err != nil || status != 0 || stderr.Len() > 0 {
			t.Fatalf("plan %v: status %d, stderr %q, %v in %s", d, status, &stderr, err, &stdout)
		}
		if idle, want := p.Detection, d.Truncate(time.Second).Seconds(); idle == nil || *idle != want || p.Within != d.Seconds() {
			t.Errorf("plan %v: noticed after %v, want %v", d, idle, want)
		}
		probes := c.Count
		if probes == 0 {
			probes = 10 // Windows before version 1703.
		}
		at := c.Idle
		for i, e := range p.Idle {
			want := "probe"
			if i == probes {
				want = "dead"
			}
			// Sums of what is no whole second are not exact.
			if e.At == nil || time.Duration(*e.At*1000+0.5)*time.Millisecond != at || e.What != want {
				t.Errorf("plan %v: %+v at %v, want %s at %v", d, e, e.At, want, at)
			}
			at += c.Interval
		}
		_, busy := c.DetectionTime()
		if last := p.Busy[len(p.Busy)-1]; len(p.Idle) != probes+1 || !same(last.At, bounded(busy)) || !same(p.BusyEnd, last.At) || last.What != "dead" {
			t.Errorf("plan %v: %d events when idle, when busy %+v, want %d and %v", d, len(p.Idle), last, probes+1, busy)
		}
		for key, text := range p.Texts {
			if strings.Contains(text, "{{") || strings.Contains(text, "<no value>") {
				t.Errorf("plan %v: not filled: %s", d, text)
			}
			if key == "go" || key == "go-tcpopt" {
				if b, err := format.Source([]byte(text)); err != nil || string(b) != text {
					t.Errorf("plan %v: %v in %s", d, err, text)
				}
			}
		}
		stdout.Reset()
		if status := run([]string{"plan", d.String()}, &stdout, &stderr); status != 0 {
			t.Errorf("plan %v: status %d, stderr %q", d, status, &stderr)
		}
		for _, words := range []string{"set on a TCP socket of " + runtime.GOOS + ":\n", "\n  idle          " + short(c.Idle) + "\n", "\n  " + busyDetection(busy, nil, short) + " ", "dead, by "} {
			if !strings.Contains(stdout.String(), words) {
				t.Errorf("plan %v: no %q in\n%s", d, words, &stdout)
			}
		}
		stdout.Reset()
		if status := run([]string{"plan", "all", "-within", d.String()}, &stdout, &stderr); status != 0 {
			t.Errorf("plan %v: status %d, stderr %q", d, status, &stderr)
		}
		for name, text := range p.Texts {
			if !strings.Contains(stdout.String(), "== "+name+": ") || !strings.Contains(stdout.String(), "\n\n"+text) {
				t.Errorf("plan %v: no text\n%s", d, text)
			}
		}
	}
}

func same(a, b *float64) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// TestPlanCause is of Configs as other systems have them.
func TestPlanCause(t *testing.T) {
	noTimeout := inHalf
	noTimeout.UserTimeout = 0
	idle, busy := noTimeout.DetectionTime()
	if idle == tcpopt.Unbounded {
		t.Skip("no idle time on this OS")
	}
	var out bytes.Buffer
	newPlan(half, noTimeout).print(&out)
	want := "system     dead, by its limit for retransmissions\n"
	if busy != tcpopt.Unbounded {
		want = "30s        dead, by keepalive\n"
	}
	for _, words := range []string{want, "user timeout  none here\n", "Programs on Linux have a user timeout too, 30s:"} {
		if !strings.Contains(out.String(), words) {
			t.Errorf("no %q in\n%s", words, &out)
		}
	}
}

func TestOnTheWay(t *testing.T) {
	for _, tt := range []struct {
		silence time.Duration
		want    string
	}{
		{213 * time.Second, "While idle it carries something at least every 3m59.625s: often enough for the load balancers and NAT of Azure (4m), AWS (350s), Google Cloud (10m), which forget what is silent for longer."},
		{214 * time.Second, "While idle it carries something at least every 4m0.75s: often enough for the load balancers and NAT of AWS (350s), Google Cloud (10m); too seldom for those of Azure (4m), which forget what is silent for longer."},
		{320 * time.Second, "While idle it carries something at least every 6m: often enough for the load balancers and NAT of Google Cloud (10m); too seldom for those of Azure (4m), AWS (350s), which forget what is silent for longer."},
		{2 * time.Hour, "While idle it carries something at least every 2h15m: too seldom for the load balancers and NAT of Azure (4m), AWS (350s), Google Cloud (10m), which forget what is silent for longer."},
	} {
		if got := onTheWay(tt.silence); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.silence, got, tt.want)
		}
	}
}
