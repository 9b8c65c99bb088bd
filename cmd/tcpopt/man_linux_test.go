package main

import (
	"bytes"
	"flag"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMan gives the page to those who know what is wrong with one.
func TestMan(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	printMan(&page, "v1.2.3", "2020-01-02")
	file := filepath.Join(t.TempDir(), "tcpopt.1")
	write(t, file, page.String())
	if out, err := exec.Command(findProgram(t, "mandoc"), "-Tlint", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("mandoc -Tlint: %v\n%s", err, out)
	}
	var shown, warnings bytes.Buffer
	man := exec.Command(findProgram(t, "man"), "--warnings", "-l", file)
	man.Env = append(man.Environ(), "MANWIDTH=80", "LC_ALL=C", "MANROFFOPT=-c", "PAGER=cat")
	man.Stdout, man.Stderr = &shown, &warnings
	if err := man.Run(); err != nil || warnings.Len() > 0 {
		t.Errorf("man --warnings: %v\n%s", err, &warnings)
	}
	text := regexp.MustCompile(" +").ReplaceAllString(struckOnce(shown.String()), " ") // Lines are justified.
	for _, v := range verbs() {
		if !strings.Contains(text, "\n tcpopt "+v.name+"\n") {
			t.Errorf("no section for %s in %s", v.name, text)
		}
		for _, f := range v.flags() {
			value, _ := flag.UnquoteUsage(f)
			value, _, _ = strings.Cut(value, "|") // It may go on in the next line.
			if !strings.Contains(text, "\n "+strings.TrimSpace("-"+f.Name+" "+value)) {
				t.Errorf("no -%s of %s in %s", f.Name, v.name, text)
			}
		}
	}
	for _, words := range []string{"tcpopt - shows how this system notices dead TCP peers", "fe80::2%eth0", "$ tcpopt plan 30s libpq\n", "EXIT STATUS\n"} {
		if !strings.Contains(text, words) {
			t.Errorf("no %q in %s", words, text)
		}
	}
}

// struckOnce is without what a printer would strike twice.
func struckOnce(text string) string {
	var out []rune
	for _, r := range text {
		if r == '\b' {
			out = out[:len(out)-1]
		} else {
			out = append(out, r)
		}
	}
	return string(out)
}
