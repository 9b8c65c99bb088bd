package main

import (
	"bytes"
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
	if got := printable("a\x1b[31mb\u0085\n\u00e9\u2028"); got != "a?[31mb??\u00e9?" {
		t.Errorf("printable = %q", got)
	}
}
