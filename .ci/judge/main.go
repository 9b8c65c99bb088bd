// Judge reads what test2json (go doc cmd/test2json) says of test runs, one file
// TARGET.json each, and prints which tests passed, failed and were skipped where.
// It fails unless all that was skipped may be, all that may be was skipped, and a
// test of each target passed.
//
//	judge SKIPS TARGET.json...
//
// A line of SKIPS is a regular expression for the beginning of TARGET TEST REASON,
// where the reason is the last that the test logged.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: judge SKIPS TARGET.json...")
		os.Exit(2)
	}
	bad, err := judge(os.Stdout, os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(2)
	}
	if bad > 0 {
		os.Exit(1)
	}
}

func judge(w io.Writer, skips string, logs []string) (bad int, err error) {
	f, err := os.Open(skips)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	allowed, err := parseSkips(f)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", skips, err)
	}
	var targets []*target
	for _, log := range logs {
		f, err := os.Open(log)
		if err != nil {
			return 0, err
		}
		t, err := read(strings.TrimSuffix(filepath.Base(log), ".json"), f)
		f.Close()
		if err != nil {
			return 0, fmt.Errorf("%s: %w", log, err)
		}
		targets = append(targets, t)
	}
	return report(w, allowed, targets), nil
}
