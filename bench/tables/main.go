// Tables renders what benchmarks printed, as Markdown.
//
//	tables README.md MACHINE <results
//
// It rewrites the sections between <!-- NAME --> and <!-- end --> in README.md, and
// prints them: the medians if NAME is a benchmark, the promised ratios for "goals", the
// argument for "machine". A section that was not measured stays.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tables:", err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: tables README.md MACHINE <results")
	}
	all, err := read(in)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	text, err = rewrite(text, args[1], all, out)
	if err != nil {
		return err
	}
	return os.WriteFile(args[0], text, 0o644)
}

// A row is one benchmark and what it measured, unit by unit.
type row struct {
	base   string   // "Call"
	keys   []string // "call", "by"
	values []string // "get", "raw"
	units  []string
	of     map[string][]float64
}

func (r *row) name() string { return r.base + "/" + strings.Join(r.values, "/") }

func (r *row) median(unit string) float64 {
	n := slices.Sorted(slices.Values(r.of[unit]))
	if len(n) == 0 {
		return 0
	}
	return (n[(len(n)-1)/2] + n[len(n)/2]) / 2
}

// read reads lines as go test prints them, rows in order of their first line.
func read(in io.Reader) (all []*row, err error) {
	known := map[string]*row{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") || len(f)%2 != 0 {
			continue
		}
		r := known[f[0]]
		if r == nil {
			r = newRow(f[0])
			known[f[0]] = r
			all = append(all, r)
		}
		for i := 2; i < len(f); i += 2 {
			n, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", lines.Text(), err)
			}
			unit := f[i+1]
			if r.of[unit] == nil {
				r.units = append(r.units, unit)
			}
			r.of[unit] = append(r.of[unit], n)
		}
	}
	return all, lines.Err()
}

var processors = regexp.MustCompile(`-\d+$`)

func newRow(name string) *row {
	name = processors.ReplaceAllString(strings.TrimPrefix(name, "Benchmark"), "")
	r := &row{of: map[string][]float64{}}
	r.base, name, _ = strings.Cut(name, "/")
	// A value may have a slash.
	for _, part := range strings.Split(name, "/") {
		if key, value, ok := strings.Cut(part, "="); ok {
			r.keys, r.values = append(r.keys, key), append(r.values, value)
		} else if part != "" {
			r.values[len(r.values)-1] += "/" + part
		}
	}
	return r
}

var section = regexp.MustCompile(`(?s)<!-- (\w+) -->\n.*?<!-- end -->`)

// rewrite fills the sections of text for which there are results.
func rewrite(text []byte, machine string, all []*row, out io.Writer) ([]byte, error) {
	seen := map[string]bool{}
	text = section.ReplaceAllFunc(text, func(old []byte) []byte {
		name := string(section.FindSubmatch(old)[1])
		seen[name] = true
		var rows []*row
		for _, r := range all {
			if r.base == name {
				rows = append(rows, r)
			}
		}
		var table string
		switch {
		case name == "machine":
			table = machine + "\n"
		case name == "goals":
			table = judge(all)
		case len(rows) > 0:
			table = render(rows)
		default:
			return old
		}
		fmt.Fprintf(out, "\n%s\n\n%s", name, table)
		return fmt.Appendf(nil, "<!-- %s -->\n%s<!-- end -->", name, table)
	})
	for _, r := range all {
		if !seen[r.base] {
			return nil, fmt.Errorf("no place for %s", r.base)
		}
	}
	return text, nil
}

// render makes a table of the rows of one benchmark. It compares all ways to do
// something with the first.
func render(rows []*row) string {
	var units []string
	for _, r := range rows {
		for _, unit := range r.units {
			if !slices.Contains(units, unit) && !(unit == "ns/op" && r.median(unit) == 0) {
				units = append(units, unit)
			}
		}
	}
	by := slices.Index(rows[0].keys, "by")
	timed := slices.Contains(units, "ns/op") && by >= 0
	header := append(slices.Clone(rows[0].keys), units...)
	if timed {
		header = append(header, "ratio")
	}
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(header)
	fmt.Fprintf(&b, "|%s%s\n", strings.Repeat("---|", len(rows[0].keys)), strings.Repeat("---:|", len(header)-len(rows[0].keys)))
	for _, r := range rows {
		cells := slices.Clone(r.values)
		for _, unit := range units {
			cell := ""
			if len(r.of[unit]) > 0 {
				cell = figure(r.median(unit))
			}
			cells = append(cells, cell)
		}
		if timed {
			first := rows[slices.IndexFunc(rows, func(o *row) bool {
				return slices.Equal(without(o.values, by), without(r.values, by))
			})]
			cells = append(cells, fmt.Sprintf("%.2f", r.median("ns/op")/first.median("ns/op")))
		}
		line(cells)
	}
	return b.String()
}

func without(all []string, i int) []string {
	return slices.Delete(slices.Clone(all), i, i+1)
}

// figure keeps three significant digits, or all before the point.
func figure(n float64) string {
	switch {
	case n == float64(int64(n)) || n >= 100:
		return strconv.FormatFloat(n, 'f', 0, 64)
	case n >= 10:
		return strconv.FormatFloat(n, 'f', 1, 64)
	}
	return strconv.FormatFloat(n, 'f', 2, 64)
}

// A goal is a limit to a ratio, or to a figure if there is no base.
type goal struct {
	what, of, base, unit string
	most                 float64
}

var goals = []goal{
	{"one get, to its system call", "Cost/get/tcpopt", "Cost/get/raw", "ns/op", 1.15},
	{"one set, to its system call", "Cost/set/tcpopt", "Cost/set/raw", "ns/op", 1.15},
	{"`Config`, to its five system calls", "Cost/Config/tcpopt", "Cost/Config/raw", "ns/op", 1.08},
	{"`SetConfig` of four, to `SetKeepAliveConfig`", "Cost/SetConfig/tcpopt", "Cost/SetConfig/net", "ns/op", 1},
	{"`Defaults`, ns", "Cost/Defaults/tcpopt", "", "ns/op", 10_000},
	{"keepalive calls of an accepted connection with `ListenControl`", "AcceptCalls/ListenControl", "", "of-keepalive", 0},
	{"`tcpopt ls` of 10,000 sockets, to `ss -tanpo`", "Ls/10000", "", "ls/ss", 0.8},
}

func judge(all []*row) string {
	find := func(name string) *row {
		for _, r := range all {
			if r.name() == name {
				return r
			}
		}
		return nil
	}
	var b strings.Builder
	b.WriteString("| goal | at most | measured | |\n|---|---:|---:|---|\n")
	for _, g := range goals {
		r, base := find(g.of), find(g.base)
		if r == nil || g.base != "" && base == nil {
			fmt.Fprintf(&b, "| %s | %s | not measured | |\n", g.what, figure(g.most))
			continue
		}
		n := r.median(g.unit)
		if base != nil {
			n /= base.median(g.unit)
		}
		verdict := "met"
		if over := math.Round(100*n)/100 - g.most; over > 0 { // As printed.
			verdict = "missed by " + figure(over)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", g.what, figure(g.most), figure(n), verdict)
	}
	return b.String()
}
