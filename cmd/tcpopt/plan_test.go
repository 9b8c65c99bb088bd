package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"go/format"
	"maps"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
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
	texts := terms(half, inHalf)
	for key, compiled := range map[string]string{"go_net": compiledNet, "go_tcpopt": compiledTcpopt} {
		// A checkout may have the line ends of the system.
		if want := "package main\n\n" + texts[key]; strings.ReplaceAll(compiled, "\r", "") != want {
			t.Errorf("compiled is\n%s, printed is\n%s", compiled, want)
		}
	}
}

func TestPlanTexts(t *testing.T) {
	all := []string{"go_net", "go_tcpopt", "haproxy", "libpq", "nginx", "sysctl", "systemd"}
	noTimeout, noCount, long := inHalf, inHalf, inHalf
	noTimeout.UserTimeout = 0
	noCount.Count, noCount.Interval = 0, 500*time.Millisecond
	long.Idle = 32768 * time.Second
	for _, tt := range []struct {
		name       string
		config     tcpopt.Config
		keys       []string
		key        string
		has, hasNo string
	}{
		{"user timeout", inHalf, all, "libpq", "keepalives=1 keepalives_idle=15 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=30000", "\n"},
		{"no user timeout in libpq", noTimeout, all, "libpq", "keepalives=1 keepalives_idle=15 keepalives_interval=5 keepalives_count=3", "timeout"},
		{"no user timeout in HAProxy", noTimeout, all, "haproxy", "\tbind :8081\n", "tcp-ut"},
		{"no count, no seconds", noCount, all[:2], "go_net", "\tInterval: 500 * time.Millisecond,\n\tCount:    -1,\n", "COUNT"},
		{"more than Linux takes", long, all[:2], "go_net", "32768 * time.Second", "IDLE"},
	} {
		texts := terms(half, tt.config)
		if keys := slices.Sorted(maps.Keys(texts)); !slices.Equal(keys, tt.keys) {
			t.Errorf("%s: texts are %q, want %q", tt.name, keys, tt.keys)
		}
		if text := texts[tt.key]; !strings.Contains(text, tt.has) || strings.Contains(text, tt.hasNo) {
			t.Errorf("%s: text is %s", tt.name, text)
		}
	}
}

// TestPlan compares with what Within and DetectionTime promise.
func TestPlan(t *testing.T) {
	all := []time.Duration{3 * time.Second, 4 * time.Second, 30*time.Second + 1, time.Minute - 1, 20 * time.Minute, 18 * time.Hour}
	for range 300 {
		all = append(all, 3*time.Second+rand.N(2*time.Hour))
	}
	capital := regexp.MustCompile(`\b(GO_\w+|IDLE|INTERVAL|COUNT|\w+_USER_TIMEOUT|TCP_UT)`)
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
			if word := capital.FindString(text); word != "" {
				t.Errorf("plan %v: %s is left in %s", d, word, text)
			}
			if strings.HasPrefix(key, "go_") {
				if b, err := format.Source([]byte(text)); err != nil || string(b) != text {
					t.Errorf("plan %v: %v in %s", d, err, text)
				}
			}
		}
		stdout.Reset()
		if status := run([]string{"plan", d.String()}, &stdout, &stderr); status != 0 {
			t.Errorf("plan %v: status %d, stderr %q", d, status, &stderr)
		}
		for _, words := range []string{"on " + runtime.GOOS + " is given\n", "\n  idle          " + c.Idle.String() + "\n", "\n  " + busyDetection(busy) + " ", "dead, by "} {
			if !strings.Contains(stdout.String(), words) {
				t.Errorf("plan %v: no %q in\n%s", d, words, &stdout)
			}
		}
		for _, text := range p.Texts {
			if !strings.Contains(stdout.String(), "\n\n"+text) {
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
	for _, words := range []string{want, "user timeout  none here\n", "has no user timeout, as here"} {
		if !strings.Contains(out.String(), words) {
			t.Errorf("no %q in\n%s", words, &out)
		}
	}
}
