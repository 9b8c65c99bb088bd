package main

import (
	"bytes"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

// screenSockets are of every kind that ls makes a difference of.
func screenSockets() []census.Socket {
	address := netip.MustParseAddrPort
	one := func(pid int, command, local, remote string, c tcpopt.Config) census.Socket {
		s := census.Socket{PID: pid, Command: command, FD: 3, Protocol: "tcp", Local: address(local), State: "established",
			Config: c, HasUserTimeout: true, HasPending: true, Counted: true, Heard: true, Silence: 90 * time.Minute}
		if remote == "" {
			s.State, s.Counted, s.HasPending = census.StateListen, false, false
		} else {
			s.Remote = address(remote)
		}
		return s
	}
	off := tcpopt.Config{KeepAlive: tcpopt.Off, Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 9}
	on := off
	on.KeepAlive = tcpopt.On
	quick := tcpopt.Config{KeepAlive: tcpopt.On, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3, UserTimeout: 30 * time.Second}
	all := []census.Socket{
		one(1234567, "postgres", "10.20.30.40:5432", "10.20.30.200:52100", on),
		one(77, "worker-\u65e5\u672c", "[::ffff:10.20.30.40]:8443", "[::ffff:192.168.100.200]:60994", off),
		one(78, "e\u0301e\u0301e\u0301\x1b[31m", "[2001:db8:1234:5678:9abc:def0:1111:2222]:8443", "[2001:db8:1234:5678:9abc:def0:1111:3333]:52100", off),
		one(79, "fifteen-letters", "[fe80::1234:5678:9abc:def0%enp0s31f6]:40506", "[fe80::1234:5678:9abc:def1%enp0s31f6]:443", quick),
		one(80, "listens", "0.0.0.0:80", "", on),
		one(81, "stuck", "10.0.0.1:40000", "10.0.0.2:5432", on),
		one(82, "shut", "10.0.0.1:40001", "10.0.0.2:5432", quick),
		one(83, "probed", "10.0.0.1:40002", "10.0.0.2:5432", quick),
		one(84, "half", "10.0.0.1:40003", "10.0.0.2:5432", off),
		one(85, "paths", "10.0.0.1:40004", "10.0.0.2:5432", off),
		one(86, "connects", "10.0.0.1:40005", "10.0.0.2:5432", off),
		one(87, "counts", "10.0.0.1:40006", "10.0.0.2:5432", quick),
	}
	all[11].Config.UserTimeout = 0
	all[5].Stuck, all[5].Pending, all[5].Silence = true, 1448, 1234*time.Millisecond
	all[6].Shut, all[6].Pending, all[6].Silence = true, 3<<20, 5*time.Second
	all[7].Probes, all[7].Silence = 2, 21*time.Second
	all[8].State = "close-wait"
	all[9].Protocol, all[9].Counted, all[9].HasUserTimeout = "mptcp", false, false
	all[10].State, all[10].Connect = census.StateConnect, 127*time.Second
	return all
}

func screenOf(t *terminal, sockets []census.Socket, by string) string {
	var b bytes.Buffer
	printCensus(&b, &census.Census{Sockets: sockets}, by, t)
	return b.String()
}

// columnsOf counts what a terminal takes for the letters of the tests' names.
func columnsOf(line string) int {
	n := utf8.RuneCountInString(line)
	return n - strings.Count(line, "\u0301") + strings.Count(line, "\u65e5") + strings.Count(line, "\u672c")
}

func TestScreenWidth(t *testing.T) {
	sockets := screenSockets()
	for i := range sockets {
		sockets[i].PID += 4000000
		sockets[i].Limit = &census.Limit{Least: 924600 * time.Millisecond}
		sockets[i].Command = []string{"\u65e5\u672c\u65e5\u672c\u65e5", strings.Repeat("e\u0301", 5), "fifteen-letters"}[i%3]
		if sockets[i].Config.UserTimeout > 0 {
			sockets[i].Config = tcpopt.Config{KeepAlive: tcpopt.On, Idle: 32767 * time.Second, Interval: 32766 * time.Second, Count: 127, UserTimeout: 1234567891 * time.Millisecond}
		}
	}
	for width := 62; width <= 250; width++ {
		for _, by := range []string{"", "command", "remote"} {
			for _, line := range strings.Split(screenOf(&terminal{width: width}, sockets, by), "\n") {
				if n := columnsOf(line); n > width {
					t.Fatalf("%d columns, by %q: %d in\n%s", width, by, n, line)
				}
			}
		}
	}
}

// TestScreenColors has the same text as without color, and what needs attention in
// red.
func TestScreenColors(t *testing.T) {
	for _, by := range []string{"", "remote"} {
		plain, colored := screenOf(&terminal{width: 80}, screenSockets(), by), screenOf(&terminal{width: 80, color: true}, screenSockets(), by)
		if got := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(colored, ""); got != plain {
			t.Errorf("by %q: without its colors\n%s\nwant\n%s", by, got, plain)
		}
		if strings.Contains(plain, "\x1b") {
			t.Errorf("by %q: colors in %q", by, plain)
		}
	}
	colored := screenOf(&terminal{width: 80, color: true}, screenSockets(), "")
	for _, want := range []string{"\x1b[1mCOMMAND\x1b[0m", "\x1b[31mnever\x1b[0m", "\x1b[1;31mwindow shut, 3072 KiB waiting, silent for 5s\x1b[0m\n"} {
		if !strings.Contains(colored, want) {
			t.Errorf("no %q in %q", want, colored)
		}
	}
}

// TestScreenHint is of more lines than the terminal has.
func TestScreenHint(t *testing.T) {
	const hint = "\nThe worst are on top. "
	for height, want := range map[int]bool{0: false, 12: true, 13: false} {
		if got := strings.Contains(screenOf(&terminal{width: 80, height: height}, screenSockets(), ""), hint); got != want {
			t.Errorf("height %d: hint %v, want %v", height, got, want)
		}
	}
}

// TestWords wants every head of a column explained.
func TestWords(t *testing.T) {
	var b bytes.Buffer
	if status := run([]string{"ls", "-h"}, &b, &b); status != 0 {
		t.Fatalf("status %d, %s", status, &b)
	}
	var heads []string
	for _, c := range wideColumns {
		heads = append(heads, c.head)
	}
	for _, c := range socketColumns {
		heads = append(heads, c.head)
	}
	for _, c := range totalColumns {
		heads = append(heads, c.head)
	}
	for _, c := range sumColumns {
		heads = append(heads, c.head)
	}
	for _, head := range heads {
		if !regexp.MustCompile(`(?m)(^  |-wide:\s+)` + head + `( |$)`).MatchString(b.String()) {
			t.Errorf("%s is not explained in\n%s", head, &b)
		}
	}
	for _, words := range []string{"; never: ", "; system: ", "is suspect if", "2h+9x75s is ", " 15s+5s has no count"} {
		if !strings.Contains(strings.Join(strings.Fields(b.String()), " "), words) {
			t.Errorf("no %q in\n%s", words, &b)
		}
	}
}
