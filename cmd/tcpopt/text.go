package main

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/tcpopt/tcpopt"
)

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func idleDetection(d time.Duration) string {
	if d == tcpopt.Unbounded {
		return "never"
	}
	return d.String()
}

// busyDetection says system where the sysctl tcp_retries2 decides, see tcp(7).
func busyDetection(d time.Duration) string {
	if d == tcpopt.Unbounded {
		return "system"
	}
	return d.String()
}

func plural(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "s"):
		return strconv.Itoa(n) + " " + what + "es"
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func tenths(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }

// printable is a name that somebody else chose, fit for a terminal and a label.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !visible(r) {
			return '?'
		}
		return r
	}, s)
}

// visible reports whether r is seen as what it is: it controls nothing, changes no
// direction, is not without width and no space but the usual one.
func visible(r rune) bool {
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// A table is printed in columns that are as wide as their widest cell. A
// tabwriter.Writer takes several times as long.
type table struct {
	columns int
	text    []byte  // the cells, one after the other
	ends    []int32 // of the cells in text
	widths  []int
}

func newTable(head ...string) *table {
	t := &table{columns: len(head), widths: make([]int, len(head))}
	t.add(head...)
	return t
}

func (t *table) add(cells ...string) {
	for _, cell := range cells {
		t.text = append(t.text, cell...)
		t.end()
	}
}

// end ends a cell that was appended to t.text.
func (t *table) end() {
	column := len(t.ends) % t.columns
	start := 0
	if len(t.ends) > 0 {
		start = int(t.ends[len(t.ends)-1])
	}
	t.ends = append(t.ends, int32(len(t.text)))
	t.widths[column] = max(t.widths[column], len(t.text)-start)
}

func (t *table) print(w io.Writer) {
	spaces := strings.Repeat(" ", slices.Max(t.widths)+2)
	line := make([]byte, 0, 256)
	start := 0
	for row := range slices.Chunk(t.ends, t.columns) {
		line = line[:0]
		for i, end := range row {
			line = append(line, t.text[start:end]...)
			if i < t.columns-1 {
				line = append(line, spaces[:t.widths[i]-(int(end)-start)+2]...)
			}
			start = int(end)
		}
		w.Write(append(line, '\n')) // The caller's buffer keeps an error.
	}
}
