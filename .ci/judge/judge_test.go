package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files of testdata are recorded: of tests that pass, fail, are skipped and log
// while others do, of one that panics, and of a package whose tests pass and which
// exits with status 3.
func TestJudge(t *testing.T) {
	panicked, err := os.ReadFile("testdata/panic.json")
	if err != nil {
		t.Fatal(err)
	}
	const cut = "boom_test.go:9: on the way"
	before, _, ok := strings.Cut(string(panicked), cut)
	if !ok {
		t.Fatalf("no %q", cut)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	lines := strings.SplitAfter(before, "\n")
	killed := write("killed.json", strings.Join(lines[:len(lines)-1], ""))
	empty := write("empty.json", "")
	for _, tt := range []struct {
		name, skips string
		logs        []string
		bad         int
		want        string // the end of what is printed
	}{
		{"skips without and with another reason", "mixed TestSubtests/skipped no such thing\n# a comment\n\nmixed TestParallel/two another\n",
			[]string{"testdata/mixed.json"}, 4, `
mixed                         6 passed   3 skipped
    TestSubtests/skipped: no such thing here
not allowed to be skipped: mixed TestNoReason 
not allowed to be skipped: mixed TestParallel/two two is skipped: 2
mixed ./mixed TestSubtests failed
mixed ./mixed TestSubtests/a_bad_one failed
6 passed, 4 failed, 3 skipped
`},
		{"panic", "never x\n", []string{"testdata/panic.json"}, 2, `
panic                         1 passed   0 skipped
panic ./panic TestBoom failed
panic ./panic TestBoom/inner failed
1 passed, 2 failed, 0 skipped
`},
		{"a package that fails after its tests", "", []string{"testdata/exit.json"}, 1, `
exit ./exit:
PASS

exit                          1 passed   0 skipped
exit ./exit failed
1 passed, 1 failed, 0 skipped
`},
		{"a log that breaks off", "", []string{killed}, 2, `
killed                        1 passed   0 skipped
killed ./panic TestBoom did not end
killed ./panic TestBoom/inner did not end
1 passed, 2 failed, 0 skipped
`},
		{"nothing ran, and nothing was skipped", "mixed TestSubtests/skipped x\n", []string{empty}, 2, `
empty                         0 passed   0 skipped
empty: no test passed
never skipped, but allowed to be: mixed TestSubtests/skipped x
0 passed, 2 failed, 0 skipped
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			bad, err := judge(&out, write("skips", tt.skips), tt.logs)
			if err != nil || bad != tt.bad || !strings.HasSuffix("\n"+out.String(), tt.want) {
				t.Errorf("judge() = %d, %v, want %d, and printed\n%s\nwant at its end\n%s", bad, err, tt.bad, &out, tt.want)
			}
		})
	}
	for _, tt := range []struct{ name, skips, log string }{
		{"no regular expression", "a(b\n", "testdata/panic.json"},
		{"no log", "", "testdata/none.json"},
		{"no JSON", "", write("text.json", "ok\n")},
	} {
		if _, err := judge(new(bytes.Buffer), write("skips", tt.skips), []string{tt.log}); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
}

// TestOutput finds what a failed test has printed, a panic's trace too.
func TestOutput(t *testing.T) {
	for log, want := range map[string]string{
		"testdata/mixed.json": "    rec_test.go:15: F(1) = 2, want 3\n        and a second line\n--- FAIL",
		"testdata/panic.json": "panic: runtime error: invalid memory address",
	} {
		var out bytes.Buffer
		if _, err := judge(&out, os.DevNull, []string{log}); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v, no %q in\n%s", log, err, want, &out)
		}
		if strings.Contains(out.String(), "all is well") {
			t.Errorf("%s: printed what a test says that passed", log)
		}
	}
}
