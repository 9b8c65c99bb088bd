package main

import (
	"errors"
	"testing"
)

func TestTimeline(t *testing.T) {
	var c party
	for _, tt := range []struct {
		name   string
		cell   int
		mark   byte
		change func()
		want   string
	}{
		{"first", 0, answered, nil, "="},
		{"late", 3, answered, nil, "===="},
		{"cut, late", 6, cut, nil, "======|"},
		{"in a cell that has a mark", 6, quiet, nil, "======|"},
		{"nothing new", 7, quiet, nil, "======|."},
		{"probe in a cell that is drawn", 7, quiet, func() { c.seen.Probes = 1 }, "======|1"},
		{"the same probe", 8, quiet, nil, "======|1."},
		{"probes missed", 10, quiet, func() { c.seen.Probes = 3 }, "======|1..3"},
		{"end", 12, quiet, func() { c.err = errors.New("timed out") }, "======|1..3.X"},
	} {
		if tt.change != nil {
			tt.change()
		}
		if c.draw(tt.cell, tt.mark); string(c.line) != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, c.line, tt.want)
		}
	}
}
