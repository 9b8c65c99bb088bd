package examples

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFigures checks that a test prints the figure of each row of README.md. e2e.Figure
// checks that each figure has a row.
func TestFigures(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	err = filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			b, err := os.ReadFile(path)
			tests.Write(b)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, tables, ok := strings.Cut(string(readme), "\n## Measured")
	if !ok {
		t.Fatal("README.md has no tables of figures")
	}
	for line := range strings.Lines(tables) {
		row, isRow := strings.CutPrefix(line, "| ")
		row, _, _ = strings.Cut(row, " |")
		if !isRow || row == "what" || row == "library and call" {
			continue
		}
		if !strings.Contains(tests.String(), `"`+row+`"`) {
			t.Errorf("no test names the row %q", row)
		}
	}
}

// TestSmall checks the size of files that README.md promises.
func TestSmall(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "internal") {
			return err
		}
		b, err := os.ReadFile(path)
		if n := strings.Count(string(b), "\n"); n >= 150 {
			t.Errorf("%s has %d lines", path, n)
		}
		files++
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
}
