package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// An allowance is a line of the file of skips.
type allowance struct {
	text    string
	pattern *regexp.Regexp
	used    bool
}

func parseSkips(r io.Reader) (all []*allowance, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		text := lines.Text()
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		pattern, err := regexp.Compile("^(?:" + text + ")")
		if err != nil {
			return nil, err
		}
		all = append(all, &allowance{text: text, pattern: pattern})
	}
	return all, lines.Err()
}

// report prints what the targets did, and returns how much of it is not as it
// should be. People read the end of a log.
func report(w io.Writer, allowed []*allowance, targets []*target) (bad int) {
	var complaints strings.Builder
	complain := func(format string, args ...any) {
		bad++
		fmt.Fprintf(&complaints, format+"\n", args...)
	}
	passed, skipped, failed := 0, 0, 0
	var table strings.Builder
	for _, t := range targets {
		fmt.Fprintf(&table, "%-26s %4d passed %3d skipped\n", t.name, t.passed, len(t.skips))
		for _, s := range t.skips {
			if line := t.name + " " + s.name + " " + s.reason(); allow(allowed, line) {
				fmt.Fprintf(&table, "    %s: %s\n", s.name, s.reason())
			} else {
				complain("not allowed to be skipped: %s", line)
			}
		}
		for _, f := range t.failed {
			what := "failed"
			if f.end == "" {
				what = "did not end"
			}
			which := strings.TrimSpace(t.name + " " + f.pkg + " " + f.name)
			fmt.Fprintf(w, "%s:\n%s\n", which, f.output.String())
			complain("%s %s", which, what)
		}
		if t.passed == 0 {
			complain("%s: no test passed", t.name)
		}
		passed, skipped, failed = passed+t.passed, skipped+len(t.skips), failed+len(t.failed)
	}
	// Where a test failed, others may not have come to their skip.
	for _, a := range allowed {
		if !a.used && failed == 0 {
			complain("never skipped, but allowed to be: %s", a.text)
		}
	}
	fmt.Fprintf(w, "%s%s%d passed, %d failed, %d skipped\n", &table, &complaints, passed, bad, skipped)
	return bad
}

// allow looks for the first line that allows a skip. A second one for the same is
// never used.
func allow(allowed []*allowance, line string) bool {
	for _, a := range allowed {
		if a.pattern.MatchString(line) {
			a.used = true
			return true
		}
	}
	return false
}
