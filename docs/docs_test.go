package main

import (
	"bytes"
	"os"
	"testing"
)

// TestPictures compares the pictures with the table beside them.
func TestPictures(t *testing.T) {
	table, err := os.ReadFile("grid.txt")
	if err != nil {
		t.Fatal(err)
	}
	points, err := parse(string(table))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range points {
		if p.predicted < least || p.predicted > most || p.measured < least || p.measured > most {
			t.Errorf("%s: outside the picture", p.Title)
		}
	}
	for paper := range palettes {
		name := "grid-" + paper + ".svg"
		want, err := draw(points, paper)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))) {
			t.Errorf("%s does not match grid.txt (%v): go run ./docs", name, err)
		}
	}
}
