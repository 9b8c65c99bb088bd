package main

import (
	"strings"
	"testing"
)

// TestRewrite has two rounds on two processors.
func TestRewrite(t *testing.T) {
	const results = `
goos: linux
BenchmarkCost/call=get/by=raw-2         	     100	       200.0 ns/op	       0 B/op
BenchmarkCost/call=get/by=tcpopt-2      	     100	       250.0 ns/op	       0 B/op
BenchmarkIdle/by=mikioh/tcp-2           	     100	      4328 B/conn	         1.500 goroutines/conn
BenchmarkCost/call=get/by=raw-2         	     100	       100.0 ns/op	       0 B/op
BenchmarkCost/call=get/by=tcpopt-2      	     100	       110.0 ns/op	       0 B/op
PASS
`
	const text = `before
<!-- machine -->
<!-- end -->
<!-- Cost -->
old
<!-- end -->
<!-- Idle -->
<!-- end -->
<!-- Ls -->
old
<!-- end -->
after
`
	const want = `before
<!-- machine -->
of mine
<!-- end -->
<!-- Cost -->
| call | by | ns/op | B/op | ratio |
|---|---|---:|---:|---:|
| get | raw | 150 | 0 | 1.00 |
| get | tcpopt | 180 | 0 | 1.20 |
<!-- end -->
<!-- Idle -->
| by | B/conn | goroutines/conn |
|---|---:|---:|
| mikioh/tcp | 4328 | 1.50 |
<!-- end -->
<!-- Ls -->
old
<!-- end -->
after
`
	all, err := read(strings.NewReader(results))
	if err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	got, err := rewrite([]byte(text), "of mine", all, &printed)
	if string(got) != want || err != nil {
		t.Errorf("rewrite = %s, %v; want %s", got, err, want)
	}
	if !strings.Contains(printed.String(), "| get | tcpopt | 180 | 0 | 1.20 |\n") {
		t.Errorf("printed %s", &printed)
	}
	goals := judge(all)
	for _, line := range []string{
		"| one get, to its system call | 1.15 | 1.20 | missed by 0.05 |\n",
		"| one set, to its system call | 1.15 | not measured | |\n",
	} {
		if !strings.Contains(goals, line) {
			t.Errorf("judge = %s, want a line %s", goals, line)
		}
	}
	if _, err := rewrite([]byte("no place"), "", all, &printed); err == nil {
		t.Error("rewrite finds a place where there is none")
	}
}
