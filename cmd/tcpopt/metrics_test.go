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
