package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDocumented runs the commands of the documentation: none is misused. set does
// nothing but a dry run, what is to be written goes to a folder of the test, and demo
// has tests of its own.
func TestDocumented(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"../../*.md", "../../*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	// On a line of its own, or in backquotes, where it may go on in the next line.
	command := regexp.MustCompile("(?m)^ {4,}(?:\\$ |sudo )*tcpopt ([^`|>#\n]*)|`tcpopt ([^`|>]*)")
	dir, seen := t.TempDir(), 0
	for _, page := range pages {
		if filepath.Base(page) == "CHANGELOG.md" { // It has fragments.
			continue
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			args := strings.Fields(m[1] + m[2])
			if len(args) == 0 || args[0] == "demo" {
				continue
			}
			if !slices.ContainsFunc(verbs(), func(v *verb) bool { return v.name == args[0] }) {
				t.Errorf("%s: tcpopt %v: no such command", page, args)
				continue
			}
			seen++
			if len(args) == 1 || slices.Contains(args, "D") { // It is mentioned, not called.
				continue
			}
			for i := 1; i < len(args); i++ {
				switch {
				case args[i] == "N": // A process.
					args[i] = strconv.Itoa(os.Getpid())
				case args[i-1] == "-o":
					args[i] = filepath.Join(dir, "metrics.prom")
				case args[i] == "-every":
					args = slices.Delete(args, i, i+2) // It would not end.
					i--
				}
			}
			if args[0] == "set" && !slices.Contains(args, "-dry-run") {
				args = append(args, "-dry-run")
			}
			var stdout, stderr bytes.Buffer
			if run(args, &stdout, &stderr) == misuse {
				t.Errorf("%s: tcpopt %s: %s", page, strings.Join(args, " "), &stderr)
			}
		}
	}
	if seen == 0 {
		t.Error("no commands")
	}
}
