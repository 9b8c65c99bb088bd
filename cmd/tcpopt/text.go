package main

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// idleDetection is a time in a form such as short, or never.
func idleDetection(d time.Duration, form func(time.Duration) string) string {
	if d == tcpopt.Unbounded {
		return "never"
	}
	return form(d)
}

// busyDetection is the least with a plus where the sysctl tcp_retries2 decides, see
// tcp(7), or system if that is not known.
func busyDetection(d time.Duration, limit *census.Limit, form func(time.Duration) string) string {
	switch {
	case d != tcpopt.Unbounded:
		return form(d)
	case limit == nil:
		return "system"
	}
	return form(limit.Least) + "+"
}

// busySentence is busyDetection in words.
func busySentence(d time.Duration, limit *census.Limit) string {
	if d == tcpopt.Unbounded && limit != nil {
		return "system, at least " + rough(limit.Least)
	}
	return busyDetection(d, limit, short)
}

// short is d without the zeros of its String: 2h and 75s, where that has 2h0m0s and
// 1m15s. A flag takes it all the same.
func short(d time.Duration) string {
	if d > time.Minute && d < 2*time.Minute && d%time.Second == 0 {
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// rough is short without what is small beside the rest, for a time to be compared.
func rough(d time.Duration) string {
	switch {
	case d >= time.Hour:
		d = d.Truncate(time.Minute)
	case d >= time.Minute:
		d = d.Truncate(time.Second)
	}
	return short(d)
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
	if printableASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if !visible(r) {
			return '?'
		}
		return r
	}, s)
}

// printableASCII reports whether s has nothing else, as most names do.
func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// visible reports whether r is seen as what it is: it controls nothing, changes no
// direction, is not without width and no space but the usual one.
func visible(r rune) bool {
	return unicode.IsPrint(r) && (r < utf8.RuneSelf || !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector))
}

// A table is printed in columns that are as wide as their widest cell. A
// tabwriter.Writer takes several times as long.
type table struct {
	columns int
	text    []byte  // the cells, one after the other
	ends    []int32 // of the cells in text
	widths  []int
	ascii   bool // all cells are as wide as they are long
}

func newTable(head ...string) *table {
	t := &table{columns: len(head), widths: make([]int, len(head)), ascii: true}
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
	cell := t.text[start:]
	n := width(cell)
	t.ascii = t.ascii && n == len(cell)
	t.widths[column] = max(t.widths[column], n)
}

// join adds the rows of other.
func (t *table) join(other *table) {
	before := int32(len(t.text))
	t.text = append(t.text, other.text...)
	for _, end := range other.ends {
		t.ends = append(t.ends, before+end)
	}
	for i, n := range other.widths {
		t.widths[i] = max(t.widths[i], n)
	}
	t.ascii = t.ascii && other.ascii
}

func (t *table) print(w io.Writer) {
	spaces := strings.Repeat(" ", slices.Max(t.widths)+2)
	line := make([]byte, 0, 256)
	start := 0
	for row := range slices.Chunk(t.ends, t.columns) {
		line = line[:0]
		for i, end := range row {
			cell := t.text[start:end]
			line = append(line, cell...)
			if i < t.columns-1 {
				n := len(cell)
				if !t.ascii {
					n = width(cell)
				}
				line = append(line, spaces[:t.widths[i]-n+2]...)
			}
			start = int(end)
		}
		w.Write(append(line, '\n')) // The caller's buffer keeps an error.
	}
}
