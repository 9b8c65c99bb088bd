package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/tcpopt/tcpopt/internal/census"
)

// TestMetricsRank has 19 commands with many connections, two with fewer and as
// many of which one is the twentieth, one with least and one named other.
func TestMetricsRank(t *testing.T) {
	c := &census.Census{}
	add := func(command string, n int) {
		for range n {
			c.Sockets = append(c.Sockets, census.Socket{Command: command})
		}
	}
	add("least", 1)
	add("equal-b", 2)
	add("equal-a", 2)
	add("other", 100)
	want := map[string]int{"equal-a": 2, "other": 103}
	for i := range 19 {
		command := fmt.Sprintf("many-%d", i)
		add(command, 3+i)
		want[command] = 3 + i
	}
	var b bytes.Buffer
	printMetrics(&b, c, "command", 0)
	for command, n := range want {
		for _, line := range []string{
			fmt.Sprintf("tcpopt_connections{command=%q,keepalive=\"off\"} %d\n", command, n),
			fmt.Sprintf("tcpopt_connections_noticed{command=%q,within_seconds=\"+Inf\"} %d\n", command, n),
		} {
			if strings.Count(b.String(), line) != 1 {
				t.Errorf("not once %q", line)
			}
		}
	}
	if n := strings.Count(b.String(), "tcpopt_connections_suspect{"); n != len(want) || t.Failed() {
		t.Errorf("%d commands, want %d, in\n%s", n, len(want), &b)
	}
}

// TestMetricsStranger has a user whose programs have many names and connections.
func TestMetricsStranger(t *testing.T) {
	c := &census.Census{Owners: map[int]uint32{}}
	add := func(user uint32, command string, n int) {
		pid := len(c.Owners) + 1
		c.Owners[pid] = user
		for range n {
			c.Sockets = append(c.Sockets, census.Socket{PID: pid, Command: command})
		}
	}
	for i := range 40 {
		add(1000, fmt.Sprintf("stranger-%02d", i), 100-i)
	}
	own := map[uint32][]string{0: {"sshd", "dockerd", "nginx"}, 113: {"postgres"}, 33: {"nginx", "php"}, 1001: {"mine"}}
	for user, commands := range own {
		for _, command := range commands {
			add(user, command, 1)
		}
	}
	var b bytes.Buffer
	printMetrics(&b, c, "command", 0)
	n := strings.Count(b.String(), "tcpopt_connections_suspect{")
	for _, commands := range own {
		for _, command := range commands {
			if !strings.Contains(b.String(), fmt.Sprintf("tcpopt_connections{command=%q,", command)) {
				t.Errorf("no %s", command)
			}
		}
	}
	// The rest of the places are the stranger's: those with most connections.
	if !strings.Contains(b.String(), `"stranger-13"`) || strings.Contains(b.String(), `"stranger-14"`) || n != ranked+1 {
		t.Errorf("%d commands, want 20 and other, up to stranger-13:\n%s", n, &b)
	}
}

// TestMetricsSchema holds names, labels and the number of series: rules and
// dashboards of others are made of them.
func TestMetricsSchema(t *testing.T) {
	unowned := 0
	c := &census.Census{Unowned: &unowned}
	for i := range 100 {
		c.Sockets = append(c.Sockets, census.Socket{Command: fmt.Sprintf("c%d", i)})
	}
	var b bytes.Buffer
	printMetrics(&b, c, "command", 0)
	got := map[string]map[string]bool{}
	series := 0
	for _, line := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		series++
		name, labels, _ := strings.Cut(line[:strings.LastIndex(line, " ")], "{")
		if got[name] == nil {
			got[name] = map[string]bool{}
		}
		labels = strings.TrimSuffix(labels, "}")
		for labels != "" {
			var label, value string
			label, labels, _ = strings.Cut(labels, "=\"")
			value, labels, _ = strings.Cut(labels, "\"")
			labels = strings.TrimPrefix(labels, ",")
			if label == "command" {
				value = ""
			}
			got[name][strings.TrimSuffix(label+"="+value, "=")] = true
		}
	}
	reasons := ""
	for _, r := range census.Reasons() {
		if r != census.Gone && r != census.Ended {
			reasons += " reason=" + string(r)
		}
	}
	want := map[string]string{
		"tcpopt_connections":                "command keepalive=off keepalive=on",
		"tcpopt_connections_noticed":        "command within_seconds=30 within_seconds=60 within_seconds=300 within_seconds=900 within_seconds=7200 within_seconds=+Inf",
		"tcpopt_connections_kept_alive":     "command within_seconds=60 within_seconds=240 within_seconds=350 within_seconds=600 within_seconds=900 within_seconds=7200 within_seconds=+Inf",
		"tcpopt_connections_busy_unbounded": "command",
		"tcpopt_connections_suspect":        "command",
		"tcpopt_processes_unreadable":       reasons,
		"tcpopt_processes_hidden":           "",
		"tcpopt_sockets_unowned":            "",
		"tcpopt_scan_duration_seconds":      "",
	}
	for name, labels := range want {
		words := strings.Fields(labels)
		for _, word := range words {
			if !got[name][word] {
				t.Errorf("%s: no %s", name, word)
			}
		}
		if got[name] == nil || len(got[name]) != len(words) {
			t.Errorf("%s has %v, want %s", name, got[name], labels)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d names, want %d", len(got), len(want))
	}
	if series != 370 {
		t.Errorf("%d series, and the documentation says 370 at the most", series)
	}
}
