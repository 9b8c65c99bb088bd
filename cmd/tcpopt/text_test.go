package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	tab := newTable("A", "LONGER", "C")
	tab.add("1", "2", "3")
	tab.add("four", "", "six")
	var b bytes.Buffer
	tab.print(&b)
	const want = "A     LONGER  C\n1     2       3\nfour          six\n"
	if b.String() != want {
		t.Errorf("printed\n%swant\n%s", &b, want)
	}
}

func TestPrintable(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"letters", "a b\u00e9\u65e5\u05d0", "a b\u00e9\u65e5\u05d0"},
		{"control", "a\x1b[31mb\u0085\n\u2028\x7f", "a?[31mb????"},
		{"bidirectional", "a\u202eb\u202a\u202b\u202d\u202c\u2066\u2067\u2068\u2069\u200e\u200f\u061c", "a?b???????????"},
		{"without width", "a\u200bb\u200c\u200d\u2060\ufeff\u00ad\u034f\u180e", "a?b???????"},
		{"invisible letters and selectors", "a\u115f\u3164\uffa0\ufe0f\U000e0061", "a?????"},
		{"other spaces", "a\u00a0\u3000", "a??"},
		{"no text", "a\xff\x9b", "a\ufffd\ufffd"},
	} {
		if got := printable(tt.text); got != tt.want {
			t.Errorf("%s: printable(%+q) = %+q, want %+q", tt.name, tt.text, got, tt.want)
		}
	}
}

// TestWriteJSON has names that a terminal would show as something else.
func TestWriteJSON(t *testing.T) {
	const name = "a\u202eb\u200b\u00e9\U000e0061\u2028\x1b<"
	var b bytes.Buffer
	if err := writeJSON(&b, map[string]string{"x": name}); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.String() {
		if r != '\n' && !visible(r) {
			t.Errorf("%+q is in %+q", r, b.String())
		}
	}
	var got map[string]string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got["x"] != name {
		t.Errorf("%+q, %v, want %+q", got, err, name)
	}
	if !strings.Contains(b.String(), "\u00e9") {
		t.Errorf("%+q has lost a letter", b.String())
	}
}
