package verdict

import (
	"os"
	"strings"
	"testing"
)

// TestCopy compares the copy with the example in the documentation.
func TestCopy(t *testing.T) {
	const first, last = "// A verdictConn ", "func (*verdict) Temporary()"
	var of [2]string
	for i, path := range []string{"verdict.go", "../../example_verdict_test.go"} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, found := strings.Cut(string(b), first)
		of[i], _, _ = strings.Cut(rest, last)
		if !found || len(of[i]) == len(rest) {
			t.Fatalf("%s has no %q or no %q after it", path, first, last)
		}
	}
	if of[0] != of[1] {
		t.Errorf("the verdictConn of the example is\n%s\nwant\n%s", of[1], of[0])
	}
}
