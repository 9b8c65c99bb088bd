package deploy

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

func TestRules(t *testing.T) {
	t.Parallel()
	promtool := labtest.FindProgram(t, "promtool")
	output(t, exec.Command(promtool, "check", "rules", "prometheus/tcpopt.rules.yml"))
	test := exec.Command(promtool, "test", "rules", "tcpopt.test.yml")
	test.Dir = "prometheus"
	if out, err := test.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// Each alert has a test.
	tests := read(t, "prometheus/tcpopt.test.yml")
	for _, line := range strings.Split(read(t, "prometheus/tcpopt.rules.yml"), "\n") {
		if name, ok := strings.CutPrefix(line, "      - alert: "); ok && !strings.Contains(tests, "alertname: "+name+"\n") {
			t.Errorf("no test has %s firing", name)
		}
	}
	// And the tests can fail.
	dir := t.TempDir()
	rules := strings.Replace(read(t, "prometheus/tcpopt.rules.yml"), "for: 15m", "for: 1h", 1)
	write(t, filepath.Join(dir, "tcpopt.rules.yml"), rules)
	write(t, filepath.Join(dir, "tcpopt.test.yml"), tests)
	test = exec.Command(promtool, "test", "rules", "tcpopt.test.yml")
	test.Dir = dir
	if out, err := test.CombinedOutput(); err == nil || !strings.Contains(string(out), "TcpoptNeverNoticed") {
		t.Errorf("with another time the tests pass: %v\n%s", err, out)
	}
}

// TestMetricsLint has promtool check that the names, units and types of the metrics are
// as Prometheus wants them.
func TestMetricsLint(t *testing.T) {
	t.Parallel()
	check := exec.Command(labtest.FindProgram(t, "promtool"), "check", "metrics")
	check.Stdin = strings.NewReader(output(t, exec.Command(build(t), "metrics")))
	if out := output(t, check); out != "" {
		t.Errorf("promtool: %s", out)
	}
}

// TestNames checks that the README has every metric, and that no file here uses a
// metric that does not exist.
func TestNames(t *testing.T) {
	t.Parallel()
	names := func(text, pattern string) map[string]bool {
		found := map[string]bool{}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			found[m[1]] = true
		}
		return found
	}
	known := names(output(t, exec.Command(build(t), "metrics")), `(?m)^# TYPE (\S+) `)
	if len(known) != 9 {
		t.Errorf("%d metrics: %v", len(known), known)
	}
	readme := read(t, "README.md")
	for name := range known {
		if !strings.Contains(readme, "| `"+name+"` |") {
			t.Errorf("the README lacks %s", name)
		}
	}
	rules := read(t, "prometheus/tcpopt.rules.yml")
	recorded := names(rules, `record: (\S+)`)
	for _, file := range []string{"README.md", "prometheus/tcpopt.rules.yml", "grafana/tcpopt.json"} {
		for name := range names(read(t, file), `((?:[a-z_]+:)?tcpopt_[a-z_0-9]+(?::[a-z]+)?)`) {
			if !known[name] && !recorded[name] {
				t.Errorf("%s: there is no %s", file, name)
			}
		}
	}
}
