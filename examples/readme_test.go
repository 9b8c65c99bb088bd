package examples

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFigures finds the test that prints the figure of each row of README.md; that
// each test has a row is up to e2e.Figure.
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
