package main

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

// A total is of the sockets that have one command or remote address.
type total struct {
	By        string   `json:"by"`
	Sockets   int      `json:"sockets"`
	Off       int      `json:"off"`
	Unbounded int      `json:"unbounded"`         // idle: a dead peer is never noticed
	Slowest   *float64 `json:"detection_seconds"` // of those that are not
	Busy      int      `json:"busy_unbounded"`
	Suspect   int      `json:"suspect"`

	slowest time.Duration
}

// totals are by command or remote, the most sockets first.
func totals(c *census.Census, by string) []total {
	sums := map[string]*total{}
	for i := range c.Sockets {
		s := &c.Sockets[i]
		key := s.Command
		if by == "remote" {
			key = s.Remote.Addr().Unmap().String()
		}
		t := sums[key]
		if t == nil {
			t = &total{By: key}
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
		return cmp.Or(cmp.Compare(b.Sockets, a.Sockets), strings.Compare(a.By, b.By))
	})
	return all
}

func printTotals(w io.Writer, totals []total, by string) {
	t := newTable(strings.ToUpper(by), "SOCKETS", "OFF", "NEVER-NOTICED", "SLOWEST-IDLE", "BUSY-SYSTEM", "SUSPECT")
	for _, sum := range totals {
		slowest := "-"
		if sum.Slowest != nil {
			slowest = sum.slowest.String()
		}
		t.add(printable(sum.By), strconv.Itoa(sum.Sockets), strconv.Itoa(sum.Off), strconv.Itoa(sum.Unbounded),
			slowest, strconv.Itoa(sum.Busy), strconv.Itoa(sum.Suspect))
	}
	t.print(w)
}
