package main

import (
	"cmp"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

// A total is of the sockets that have one thing in common.
type total struct {
	By        *string  `json:"by"` // null: not known; empty: they have none
	Sockets   int      `json:"sockets"`
	Off       int      `json:"off"`
	Unbounded int      `json:"unbounded"`         // idle: a dead peer is never noticed
	Slowest   *float64 `json:"detection_seconds"` // of those that are not
	Busy      int      `json:"busy_unbounded"`
	Suspect   int      `json:"suspect"`

	by      string // as label has it
	slowest time.Duration
}

// totals are by one of kinds, the most sockets first.
func totals(c *census.Census, by string) []total {
	k := kindOf(by)
	sums := map[string]*total{}
	for i := range c.Sockets {
		s := &c.Sockets[i]
		key, known := k.key(s)
		if !known {
			key = unknown
		}
		t := sums[key]
		if t == nil {
			t = &total{by: k.label(s)}
			if known {
				t.By = &key
			}
			sums[key] = t
		}
		t.Sockets++
		if s.Config.KeepAlive != tcpopt.On {
			t.Off++
		}
		idle, busy := s.Detection()
		if idle == tcpopt.Unbounded {
			t.Unbounded++
		} else {
			t.slowest = max(t.slowest, idle)
			t.Slowest = bounded(t.slowest)
		}
		if busy == tcpopt.Unbounded {
			t.Busy++
		}
		if s.Suspect() {
			t.Suspect++
		}
	}
	all := make([]total, 0, len(sums))
	for _, t := range sums {
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b total) int {
		return cmp.Or(cmp.Compare(b.Sockets, a.Sockets), strings.Compare(a.by, b.by))
	})
	return all
}

func printTotals(w io.Writer, totals []total, by string, t *terminal) {
	if t != nil {
		slices.SortStableFunc(totals, func(a, b total) int {
			return cmp.Or(b.Suspect-a.Suspect, b.Unbounded-a.Unbounded, cmp.Compare(b.slowest, a.slowest))
		})
		columns := append([]screenColumn[total]{
			{head: strings.ToUpper(by), cell: func(t *total) string { return t.by }, shorten: cutMiddle, least: 15, turn: 1},
		}, sumColumns...)
		printScreen(w, t, columns, totals)
		return
	}
	columns := append([]column[total]{
		{strings.ToUpper(by), func(b []byte, t *total) []byte { return append(b, t.by...) }},
	}, totalColumns...)
	tableOf(columns, totals).print(w)
}

// totalColumns are all that ls -by has, after what it is by. A new one comes after
// the others.
var totalColumns = []column[total]{
	{"SOCKETS", func(b []byte, t *total) []byte { return appendInt(b, t.Sockets) }},
	{"OFF", func(b []byte, t *total) []byte { return appendInt(b, t.Off) }},
	{"NEVER-NOTICED", func(b []byte, t *total) []byte { return appendInt(b, t.Unbounded) }},
	{"SLOWEST-IDLE", func(b []byte, t *total) []byte {
		if t.Slowest == nil {
			return append(b, '-')
		}
		return appendTime(b, t.slowest)
	}},
	{"BUSY-SYSTEM", func(b []byte, t *total) []byte { return appendInt(b, t.Busy) }},
	{"SUSPECT", func(b []byte, t *total) []byte { return appendInt(b, t.Suspect) }},
}
