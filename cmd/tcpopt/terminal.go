package main

import (
	"bufio"
	"io"
	"os"
	"strconv"
)

// A terminal is what output is fitted to for people. That of programs has none.
type terminal struct {
	width, height int  // height 0: not known
	moves, color  bool // whether lines can be drawn over, and in color
}

const (
	// usual is the width of a terminal that does not know it.
	usual = 80

	// narrowest is as narrow as output gets.
	narrowest = 40
)

// terminalOf is the terminal that w is, or nil.
func terminalOf(w io.Writer) *terminal {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	columns, height, ok := terminalSize(f)
	if !ok {
		return nil
	}
	t := newTerminal(columns)
	kind := os.Getenv("TERM")
	t.height, t.moves = height, kind != "" && kind != "dumb"
	t.color = t.moves && os.Getenv("NO_COLOR") == ""
	return t
}

// newTerminal is of so many columns, or as many as the environment says, if it does,
// as watch(1) does for what it starts.
func newTerminal(columns int) *terminal {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		columns = n
	}
	if columns == 0 {
		columns = usual
	}
	return &terminal{width: max(columns, narrowest)}
}

// writer buffers what goes to w. In a terminal it folds what is longer than a line.
func (t *terminal) writer(w io.Writer) *bufio.Writer {
	if t != nil {
		w = &folder{w: w, width: t.width}
	}
	return bufio.NewWriterSize(w, 1<<16)
}

// A tone makes text stand out, or step back, in the 16 colors that are legible on
// dark and on light.
type tone string

const (
	plain tone = ""
	bold  tone = "1"
	dim   tone = "2"
	alarm tone = "1;31"
	warn  tone = "31"
)

// paint appends text in a tone, where the terminal has color.
func (t *terminal) paint(b []byte, how tone, text string) []byte {
	if how == plain || !t.color || text == "" {
		return append(b, text...)
	}
	b = append(append(b, "\x1b["...), how...)
	b = append(append(b, 'm'), text...)
	return append(b, "\x1b[0m"...)
}
