package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

// A prometheus is a server, and a client of its API.
type prometheus struct {
	*http.Client
	url string
}

// get gets what the API has under a path. It fails the test on an error.
func (p *prometheus) get(t testing.TB, path string, parameters url.Values, into any) {
	t.Helper()
	response, err := p.Get(p.url + path + "?" + parameters.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status != "success" {
		t.Fatalf("%s %v: %v %s", path, parameters, err, body)
	}
	if err := json.Unmarshal(answer.Data, into); err != nil {
		t.Fatal(err)
	}
}

// An alert is an instance of a rule, with its labels.
type alert struct {
	State               string
	Labels, Annotations map[string]string
}

// alerts returns the alerts of this name that are pending or firing.
func (p *prometheus) alerts(t testing.TB, name string) (found []alert) {
	t.Helper()
	var all struct{ Alerts []alert }
	p.get(t, "/api/v1/alerts", nil, &all)
	for _, a := range all.Alerts {
		if a.Labels["alertname"] == name {
			found = append(found, a)
		}
	}
	return found
}

// await waits until the alerts of this name are in these states.
func (p *prometheus) await(t testing.TB, name string, states ...string) []alert {
	t.Helper()
	want := strings.Join(states, " ")
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		alerts := p.alerts(t, name)
		got := ""
		for _, a := range alerts {
			got = strings.TrimPrefix(got+" "+a.State, " ")
		}
		if got == want {
			return alerts
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is %+v, want it %q", name, alerts, states)
		}
	}
}

// query returns how many series match an expression.
func (p *prometheus) query(t testing.TB, expr string) int {
	t.Helper()
	var data struct{ Result []any }
	p.get(t, "/api/v1/query", url.Values{"query": {expr}}, &data)
	return len(data.Result)
}

// TestFleet has three machines with typical programs: servers, a service, and the
// exporter whose folder tcpopt writes to. A connection without keepalive makes its
// alert fire, which says what to run there. Once the connection is set, the alert
// resolves.
func TestFleet(t *testing.T) {
	t.Parallel()
	needRoot(t)
	command := build(t)
	machines := map[string]*machine{"cache-1": newMachine(t), "database-1": newMachine(t), "billing-1": newMachine(t)}
	watcher := &machine{Host: labtest.NewHost(t), t: t}
	targets := ""
	for name, m := range machines {
		labtest.NewCable(t, watcher.Host, m.Host)
		targets += fmt.Sprintf("      - {targets: ['%v:9100'], labels: {instance: %s}}\n", m.IPv4, name)
	}
	cache, database, service := machines["cache-1"], machines["database-1"], machines["billing-1"]
	cable := labtest.NewCable(t, service.Host, cache.Host)
	labtest.NewCable(t, service.Host, database.Host)

	redis := cache.IPv4.String() + ":6379"
	cache.start("redis", labtest.FindProgram(t, "redis-server"), "--bind", cache.IPv4.String(), "--protected-mode", "no", "--save", "")
	postgres := database.postgres()
	cache.await(redis)
	host, port, _ := net.SplitHostPort(postgres)
	ask := service.start("psql", labtest.FindProgram(t, "psql"), "-X", "-h", host, "-p", port, "-U", "postgres")
	fmt.Fprintln(ask, "select 1;")
	open := service.start("billing", "env", billingProgram.Env(), billing(t), "-to", redis)
	folders := map[string]string{}
	for name, m := range machines {
		folders[name] = t.TempDir()
		m.start("exporter-"+name, labtest.FindProgram(t, "prometheus-node-exporter"), "--collector.disable-defaults", "--collector.textfile",
			"--collector.textfile.directory="+folders[name], "--web.listen-address="+m.IPv4.String()+":9100")
		if name != "cache-1" {
			m.start("metrics-"+name, command, "metrics", "-o", filepath.Join(folders[name], "tcpopt.prom"), "-every", "1s")
		}
	}
	// On cache-1 a timer does it, and stops later.
	stop := make(chan bool)
	stopped := make(chan bool)
	go func() {
		defer close(stopped)
		for {
			if out, err := cache.command(command, "metrics", "-o", filepath.Join(folders["cache-1"], "tcpopt.prom")).CombinedOutput(); err != nil {
				t.Errorf("metrics: %v %s", err, out)
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
			}
		}
	}()
	t.Cleanup(func() { <-stopped })
	finish := func() {
		if stop != nil {
			close(stop)
			stop = nil
		}
	}
	t.Cleanup(finish)

	dir := t.TempDir()
	rules := regexp.MustCompile(`(?m)^( +for: ).*`).ReplaceAllString(read(t, "prometheus/tcpopt.rules.yml"), "${1}3s")
	rules = strings.Replace(rules, "seconds > 300", "seconds > 6", 1)
	write(t, filepath.Join(dir, "tcpopt.rules.yml"), rules)
	config := write(t, filepath.Join(dir, "prometheus.yml"), `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [tcpopt.rules.yml]
scrape_configs:
  - job_name: node
    static_configs:
`+targets)
	listen := watcher.IPv4.String() + ":9090"
	labtest.Launch(t, watcher.Host, syscall.SIGTERM, "Server is ready to receive web requests", exec.Command(labtest.FindProgram(t, "prometheus"),
		"--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+listen))
	p := &prometheus{url: "http://" + listen, Client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) { return watcher.dial(address) }}}}
	t.Cleanup(p.CloseIdleConnections)

	// The metrics have every program, and all connections have keepalive.
	for _, expr := range []string{`tcpopt_connections{instance="cache-1", command="redis-server", keepalive="on"} > 0`,
		`tcpopt_connections{instance="database-1", command="postgres", keepalive="on"} > 0`,
		`tcpopt_connections{instance="billing-1", command="psql", keepalive="on"} == 1`,
		`tcpopt_connections{instance="billing-1", command="billing", keepalive="on"} == 1`} {
		for deadline := time.Now().Add(30 * time.Second); p.query(t, expr) != 1; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("nothing has %s", expr)
			}
		}
	}
	if alerts := p.alerts(t, "TcpoptNeverNoticed"); len(alerts) > 0 {
		t.Errorf("alerts before anything happens: %+v", alerts)
	}

	start := time.Now()
	fmt.Fprintln(open, "open")
	p.await(t, "TcpoptNeverNoticed", "pending")
	pending := time.Since(start)
	alerts := p.await(t, "TcpoptNeverNoticed", "firing")
	firing := time.Since(start)
	a := alerts[0]
	if a.Labels["instance"] != "billing-1" || a.Labels["command"] != "billing" {
		t.Errorf("it names %v", a.Labels)
	}
	// What the alert says to run finds the connection.
	follow := func(a alert) {
		t.Helper()
		words := strings.Fields(a.Annotations["run"])
		if len(words) < 2 || words[0] != "tcpopt" {
			t.Fatalf("it says to run %q", a.Annotations["run"])
		}
		if said := service.output(append([]string{command}, words[1:]...)...); !strings.Contains(said, redis) {
			t.Errorf("%q shows no connection to %s:\n%s", words, redis, said)
		}
	}
	follow(a)
	for _, name := range []string{"TcpoptBusyWithoutLimit", "TcpoptQuieterThanLoadBalancer"} {
		found := false
		for _, a := range p.alerts(t, name) {
			found = found || a.Labels["instance"] == "billing-1" && a.Labels["command"] == "billing"
		}
		if !found {
			t.Errorf("no %s", name)
		}
	}
	checkDashboard(t, p)

	service.output(command, "set", "-name", "billing", "-without-keepalive", "-within", "30s")
	resolving := time.Now()
	p.await(t, "TcpoptNeverNoticed")
	t.Logf("pending after %v, firing after %v, resolved %v after set", pending.Round(100*time.Millisecond),
		firing.Round(100*time.Millisecond), time.Since(resolving).Round(100*time.Millisecond))

	// A peer stops answering, then answers again.
	service.output(command, "set", "-name", "billing", "-all", "-idle", "1s", "-interval", "1s", "-count", "100", "-user-timeout", "0")
	labtest.Need(t, cable.Cut())
	if a = p.await(t, "TcpoptSuspect", "firing")[0]; a.Labels["instance"] != "billing-1" || a.Labels["command"] != "billing" {
		t.Errorf("suspect is %v", a.Labels)
	}
	follow(a)
	labtest.Need(t, cable.Heal())
	p.await(t, "TcpoptSuspect")

	finish()
	if a := p.await(t, "TcpoptMetricsStale", "firing")[0]; a.Labels["instance"] != "cache-1" {
		t.Errorf("stale is %v", a.Labels)
	}
}

// checkDashboard runs every query of the dashboard, as Grafana would.
func checkDashboard(t *testing.T, p *prometheus) {
	text, err := os.ReadFile("grafana/tcpopt.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$instance", ".*", "$command", ".*")
	queries := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries++
			expr := variables.Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s: an unknown variable: %s", panel.Title, expr)
			} else if p.query(t, expr) == 0 {
				t.Errorf("%s: nothing has %s", panel.Title, expr)
			}
		}
	}
	for _, v := range dashboard.Templating.List {
		m := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(variables.Replace(v.Definition))
		if v.Name == "datasource" {
			continue
		}
		var values []string
		if m != nil {
			p.get(t, "/api/v1/label/"+m[2]+"/values", url.Values{"match[]": {m[1]}}, &values)
		}
		if len(values) == 0 {
			t.Errorf("variable %s has no values: %s", v.Name, v.Definition)
		}
	}
	t.Logf("%d queries of the dashboard", queries)
}
