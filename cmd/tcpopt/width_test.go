package main

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"
)

func TestWidth(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       int
	}{
		{"none", "", 0},
		{"ASCII", "a b", 3},
		{"Latin", "\u00e9\u2026", 2},
		{"Greek, Hebrew", "\u03b1\u05d0", 2},
		{"combining", "e\u0301e\u0323\u0302", 2},
		{"Chinese", "\u65e5\u672c", 4},
		{"Hangul", "\ud55c", 2},
		{"fullwidth", "\uff21", 2},
		{"picture", "\U0001f680", 2},
		{"not UTF-8", "a\xff", 2},
	} {
		if got := width(tt.text); got != tt.want {
			t.Errorf("%s: width(%+q) = %d, want %d", tt.name, tt.text, got, tt.want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		name    string
		cut     func(string, int) string
		text    string
		columns int
		want    string
	}{
		{"end, fits", cutEnd, "postgres", 8, "postgres"},
		{"end", cutEnd, "postgres", 7, "postgr…"},
		{"end of double width", cutEnd, "\u65e5\u672c\u65e5", 5, "\u65e5\u672c…"},
		{"end, none fits", cutEnd, "\u65e5\u672c\u65e5", 2, "…"},
		{"end of combining", cutEnd, "e\u0301e\u0301e\u0301", 2, "e\u0301…"},
		{"middle", cutMiddle, "2001:db8::1111:2222", 9, "2001…2222"},
		{"host", cutHost, "[2001:db8::1111:2222]:443", 13, "[200…222]:443"},
		{"host, next to nothing", cutHost, "10.0.0.1:443", 5, "…:443"},
		{"host, port too long", cutHost, "10.0.0.1:40000", 5, "10.0…"},
		{"local", cutLocal, "10.20.30.40:443", 12, "10.…0.40:443"},
		{"local, the port alone", cutLocal, "10.20.30.40:40000", 11, ":40000"},
		{"local, fits", cutLocal, "[::]:443", 8, "[::]:443"},
	} {
		if got := tt.cut(tt.text, tt.columns); got != tt.want {
			t.Errorf("%s: %q in %d columns is %q, want %q", tt.name, tt.text, tt.columns, got, tt.want)
		}
	}
}

func TestFold(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"none", "", "\n"},
		{"fits", "0123456789 0123456789 01234567", "0123456789 0123456789 01234567\n"},
		{"prose", "0123456789 0123456789 0123456789", "0123456789 0123456789\n  0123456789\n"},
		{"label", "  before   0123456789 0123456789", "  before   0123456789\n           0123456789\n"},
		{"several", "  1 aaaaaaaaa bbbbbbbbb ccccccccc ddddddddd eeeeeeeee", "  1 aaaaaaaaa bbbbbbbbb\n    ccccccccc ddddddddd\n    eeeeeeeee\n"},
		{"clauses", "  before   0123456789; and 0123456789", "  before   0123456789;\n           and 0123456789\n"},
		{"a clause that is short", "one; 0123456789 0123456789 0123456789", "one; 0123456789 0123456789\n  0123456789\n"},
		{"no space", "01234567890123456789012345678901234", "012345678901234567890123456789\n  01234\n"},
		{"at a space", "012345678901234567890123456789 1234", "012345678901234567890123456789\n  1234\n"},
		{"a command", "  restore  tcpopt set -pid 7 -fd 3 -on", "  restore  tcpopt set -pid 7 \\\n           -fd 3 -on\n"},
		{"painted", "\x1b[1m01234567890123456789012345678901234\x1b[0m", "\x1b[1m01234567890123456789012345678901234\x1b[0m\n"},
	} {
		if got := string(fold(nil, tt.text, 30)); got != tt.want {
			t.Errorf("%s: %q is\n%swant\n%s", tt.name, tt.text, got, tt.want)
		}
	}
}

// TestFolder writes lines in pieces.
func TestFolder(t *testing.T) {
	const text = "one two three four five six seven eight nine\nshort\n  and indented, with several words\n"
	want := string(fold(fold(fold(nil, "one two three four five six seven eight nine", 20), "short", 20), "  and indented, with several words", 20))
	for size := 1; size < len(text); size++ {
		var b bytes.Buffer
		f := &folder{w: &b, width: 20}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if _, err := io.WriteString(f, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if b.String() != want {
			t.Fatalf("in pieces of %d:\n%s\nwant\n%s", size, &b, want)
		}
	}
	if _, err := io.WriteString(&folder{w: brokenWriter{}, width: 20}, text); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v, want that of the writer", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestShort(t *testing.T) {
	for _, tt := range []struct {
		d           time.Duration
		want, rough string
	}{
		{0, "0s", "0s"},
		{300 * time.Millisecond, "300ms", "300ms"},
		{12345 * time.Millisecond, "12.345s", "12.345s"},
		{10 * time.Second, "10s", "10s"},
		{time.Minute, "1m", "1m"},
		{75 * time.Second, "75s", "75s"},
		{75500 * time.Millisecond, "1m15.5s", "75s"},
		{2 * time.Minute, "2m", "2m"},
		{150 * time.Second, "2m30s", "2m30s"},
		{10 * time.Minute, "10m", "10m"},
		{time.Hour, "1h", "1h"},
		{2*time.Hour + 11*time.Minute + 15*time.Second, "2h11m15s", "2h11m"},
		{2*time.Hour + 15*time.Second, "2h0m15s", "2h"},
		{20 * time.Hour, "20h", "20h"},
		{48 * time.Hour, "48h", "48h"},
	} {
		if got := short(tt.d); got != tt.want {
			t.Errorf("short(%v) = %s, want %s", tt.d, got, tt.want)
		}
		if got := rough(tt.d); got != tt.rough {
			t.Errorf("rough(%v) = %s, want %s", tt.d, got, tt.rough)
		}
		if d, err := time.ParseDuration(short(tt.d)); err != nil || d != tt.d {
			t.Errorf("%s is read as %v, %v", short(tt.d), d, err)
		}
	}
}
