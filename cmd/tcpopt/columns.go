package main

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

// A column is one fact of each T that a table is of.
type column[T any] struct {
	head string
	cell func(text []byte, of *T) []byte // appends it to text
}

// wideColumns are all that ls has. Programs may count them: a new one comes after
// the others.
var wideColumns = []column[census.Socket]{
	{"PID", func(b []byte, s *census.Socket) []byte { return appendInt(b, s.PID) }},
	{"COMMAND", func(b []byte, s *census.Socket) []byte { return append(b, printable(s.Command)...) }},
	{"FD", func(b []byte, s *census.Socket) []byte { return appendInt(b, s.FD) }},
	{"LOCAL", func(b []byte, s *census.Socket) []byte { return appendAddress(b, s.Local) }},
	{"REMOTE", func(b []byte, s *census.Socket) []byte { return appendAddress(b, s.Remote) }},
	{"STATE", func(b []byte, s *census.Socket) []byte { return append(b, s.State...) }},
	{"KEEPALIVE", func(b []byte, s *census.Socket) []byte {
		return append(b, onOff(s.Config.KeepAlive == tcpopt.On)...)
	}},
	{"IDLE", func(b []byte, s *census.Socket) []byte { return appendTime(b, s.Config.Idle) }},
	{"INTERVAL", func(b []byte, s *census.Socket) []byte { return appendTime(b, s.Config.Interval) }},
	{"COUNT", func(b []byte, s *census.Socket) []byte { return appendInt(b, s.Config.Count) }},
	{"USER-TIMEOUT", appendUserTimeout},
	{"NOTICED-IDLE", func(b []byte, s *census.Socket) []byte {
		idle, _ := s.Detection()
		return append(b, idleDetection(idle, time.Duration.String)...)
	}},
	{"NOTICED-BUSY", func(b []byte, s *census.Socket) []byte {
		_, busy := s.Detection()
		return append(b, busyDetection(busy, s.Limit, time.Duration.String)...)
	}},
	{"PROBES", appendProbes},
	{"SILENCE", appendSilence},
	{"PENDING", appendPending},
	{"SIGN", appendSign},
	{"MAX-SILENCE", func(b []byte, s *census.Socket) []byte {
		if d := s.Config.MaxSilence(); d != tcpopt.Unbounded {
			return appendTime(b, d)
		}
		return append(b, "never"...)
	}},
	{"USER", appendKind("user")},
	{"UNIT", appendKind("unit")},
	{"NETNS", appendKind("netns")},
	{"CMDLINE", func(b []byte, s *census.Socket) []byte {
		line := cmdline.label(s)
		if len(line) > longest {
			return append(append(b, strings.ToValidUTF8(line[:longest], "")...), "..."...)
		}
		return append(b, line...)
	}},
}

// longest is how many bytes of a command line the table has. JSON has all of it.
const longest = 200

var cmdline = kindOf("cmdline")

// appendKind has no spaces, so that columns can be counted.
func appendKind(word string) func([]byte, *census.Socket) []byte {
	k := kindOf(word)
	return func(b []byte, s *census.Socket) []byte {
		switch key, known := k.key(s); {
		case !known:
			return append(b, '?')
		case key == "":
			return append(b, '-')
		default:
			return append(b, strings.ReplaceAll(printable(key), " ", "?")...)
		}
	}
}

func appendInt(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }

func appendAddress(b []byte, a netip.AddrPort) []byte { return a.AppendTo(b) }

// appendTime does not shorten d: programs may have learned how it looks.
func appendTime(b []byte, d time.Duration) []byte { return append(b, d.String()...) }

// In these "-" is what the kernel does not report of such a socket.

func appendUserTimeout(b []byte, s *census.Socket) []byte {
	if !s.HasUserTimeout {
		return append(b, '-')
	}
	return appendTime(b, s.Config.UserTimeout)
}

func appendProbes(b []byte, s *census.Socket) []byte {
	if !s.Counted {
		return append(b, '-')
	}
	return appendInt(b, s.Probes)
}

func appendSilence(b []byte, s *census.Socket) []byte {
	if !s.Counted || !s.Heard {
		return append(b, '-')
	}
	return appendTime(b, tenths(s.Silence))
}

func appendPending(b []byte, s *census.Socket) []byte {
	if !s.HasPending {
		return append(b, '-')
	}
	return strconv.AppendUint(b, s.Pending, 10)
}

// appendSign fills its column in each row, so that columns can be counted.
func appendSign(b []byte, s *census.Socket) []byte {
	switch {
	case s.Shut:
		return append(b, "shut"...)
	case s.Stuck:
		return append(b, "stuck"...)
	}
	return append(b, '-')
}

func tableOf[T any](columns []column[T], rows []T) *table {
	heads := make([]string, len(columns))
	for i := range columns {
		heads[i] = columns[i].head
	}
	t := newTable(heads...)
	half := len(rows) / 2
	rest := &table{columns: len(columns), widths: make([]int, len(columns)), ascii: true}
	done := make(chan bool)
	go func() { // Half of the rows, on another processor.
		fillTable(rest, columns, rows[half:], len(rows)-half)
		close(done)
	}()
	fillTable(t, columns, rows[:half], len(rows))
	<-done
	t.join(rest)
	return t
}

// fillTable adds rows to t, and makes room for as many as room says.
func fillTable[T any](t *table, columns []column[T], rows []T, room int) {
	for i := range rows {
		if i == 1 { // Growing step by step would copy all of it many times.
			t.text = slices.Grow(t.text, room*min(len(t.text), 256))
			t.ends = slices.Grow(t.ends, room*len(columns))
		}
		for _, c := range columns {
			t.text = c.cell(t.text, &rows[i])
			t.end()
		}
	}
}
