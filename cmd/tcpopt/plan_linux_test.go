package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

const planOf30s = `To notice a dead peer within 30s, set on a TCP socket of linux:
  keepalive     on
  idle          15s
  interval      5s
  count         3
  user timeout  30s

idle: nothing in flight, counted from the last segment received
  15s        probe
  20s        probe
  25s        probe
  30s        dead

busy: data unacknowledged, counted from when it was sent
  30s        dead, by the user timeout

Times are nominal: on Linux each timer may run up to 1/8 of its time late.
There a user timeout also ends a connection whose peer keeps its window shut.
While idle it carries something at least every 16.875s: often enough for the
load balancers and NAT of Azure (4m), AWS (350s), Google Cloud (10m), which
forget what is silent for longer.

In the terms of a program, ready to paste: tcpopt plan 30s TARGET, of
  curl docker envoy go-tcpopt go grpc haproxy java kubernetes libpq mariadb
  nginx node pgbouncer postgresql python redis rust ssh sshd sysctl systemd all
`

// libpqOf30s is a target alone: the text and nothing else.
const libpqOf30s = "keepalives=1 keepalives_idle=15 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=30000\n"

var textsOf30s = `== go: Go with package net

` + strings.TrimPrefix(compiledNet, "package main\n\n") + `
== go-tcpopt: Go with tcpopt

` + strings.TrimPrefix(compiledTcpopt, "package main\n\n") + `
== sysctl: Linux, a file of sysctl.d

# For sockets, also of IPv6, that switch keepalive on and set no times
# themselves. There is no user timeout: net.ipv4.tcp_retries2 limits data in
# flight.
net.ipv4.tcp_keepalive_time = 15
net.ipv4.tcp_keepalive_intvl = 5
net.ipv4.tcp_keepalive_probes = 3

== libpq: libpq 12 or later, a conninfo; for the server see postgresql

keepalives=1 keepalives_idle=15 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=30000

== nginx: nginx, inside http

# For clients. To upstreams, proxy_socket_keepalive uses the system's times.
# There is no user timeout: net.ipv4.tcp_retries2 limits data in flight.
server {
	listen 8080 so_keepalive=15s:5s:3;
}

== haproxy: HAProxy 2.3 or later

# Both sides have all of it. HAProxy's own timeouts also end idle connections,
# dead or not; here they are longer.
defaults
	mode tcp
	timeout connect 5s
	timeout client 1d
	timeout server 1d
	option clitcpka
	clitcpka-idle 15s
	clitcpka-intvl 5s
	clitcpka-cnt 3
	option srvtcpka
	srvtcpka-idle 15s
	srvtcpka-intvl 5s
	srvtcpka-cnt 3

frontend clients
	bind :8081 tcp-ut 30s
	default_backend servers

backend servers
	server one 127.0.0.1:8080 tcp-ut 30s

== systemd: systemd, NAME.socket beside NAME.service

# Accepted connections inherit this, unless the service sets its own after
# accept, as package net of Go does. There is no user timeout:
# net.ipv4.tcp_retries2 limits data in flight.
[Unit]
Description=Notices dead peers

[Socket]
ListenStream=8080
KeepAlive=yes
KeepAliveTimeSec=15
KeepAliveIntervalSec=5
KeepAliveProbes=3

[Install]
WantedBy=sockets.target
`

func TestPlanExact(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"30s", planOf30s},
		{"-within 30s", planOf30s},
		{"30s go go-tcpopt sysctl libpq nginx haproxy systemd", textsOf30s},
		{"libpq -within 30s", libpqOf30s},
		{"30s libpq", libpqOf30s},
	} {
		status, stdout, stderr := command(append([]string{"plan"}, strings.Fields(tt.args)...)...)
		if status != 0 || stdout != tt.want || stderr != "" {
			t.Errorf("plan %s: status %d, stderr %q, printed\n%s", tt.args, status, stderr, stdout)
		}
	}
	status, stdout, stderr := command("plan", "30.9s", "-json")
	var got map[string]any
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || status != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q, %v in %s", status, stderr, err, stdout)
	}
	texts, _ := got["texts"].(map[string]any)
	for _, target := range targets() {
		if text, ok := texts[target.name].(string); !ok || text != target.fill(half, inHalf) {
			t.Errorf("text for %s is %q", target.name, text)
		}
	}
	delete(got, "texts")
	rest, _ := json.Marshal(got)
	wantJSON(t, string(rest), `{"version": 1, "within_seconds": 30.9,
		"config": {"enable": true, "idle_seconds": 15, "interval_seconds": 5, "count": 3, "user_timeout_seconds": 30},
		"detection_seconds": 30, "busy_seconds": 30,
		"idle": [{"at_seconds": 15, "event": "probe"}, {"at_seconds": 20, "event": "probe"},
			{"at_seconds": 25, "event": "probe"}, {"at_seconds": 30, "event": "dead"}],
		"busy": [{"at_seconds": 30, "event": "dead"}]}`)
}

// TestPlanKernel sets what was printed and asks the kernel.
func TestPlanKernel(t *testing.T) {
	c, err := net.Dial("tcp", listening(t, net.Listen).Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, d := range []time.Duration{3 * time.Second, 7900 * time.Millisecond, 20*time.Second + 1, 18 * time.Hour} {
		config, err := tcpopt.Within(d)
		s, _ := tcpopt.FromConn(c)
		if err := s.SetConfig(config); err != nil {
			t.Fatal(err)
		}
		got, gerr := s.Config()
		p := newPlan(d, config)
		shown := tcpopt.Config{
			KeepAlive: tcpopt.SwitchOf(*p.Config.Enable), Idle: inSeconds(*p.Config.Idle), Interval: inSeconds(*p.Config.Interval),
			Count: *p.Config.Count, UserTimeout: inSeconds(*p.Config.UserTimeout),
		}
		if got != shown || err != nil || gerr != nil {
			t.Errorf("plan %v shows %+v, the kernel has %+v, %v, %v", d, shown, got, err, gerr)
		}
	}
}

func inSeconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }

func listening(t testing.TB, listen func(network, address string) (net.Listener, error)) net.Listener {
	t.Helper()
	l, err := listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestPlanGo runs what was printed for Go.
func TestPlanGo(t *testing.T) {
	within, err := listenWithin()
	if err != nil {
		t.Fatal(err)
	}
	dial, err := dialWithin()
	if err != nil {
		t.Fatal(err)
	}
	set := func(c net.Conn) {
		if err := setWithin(c); err != nil {
			t.Error(err)
		}
	}
	noTimeout := inHalf
	noTimeout.UserTimeout = tcpopt.Unbounded
	leave := func(net.Conn) {}
	for _, tt := range []struct {
		name         string
		listenConfig net.ListenConfig
		dialer       net.Dialer
		then         func(net.Conn)
		want         tcpopt.Config
	}{
		{"package net", listenConfig, dialer, leave, noTimeout},
		{"tcpopt", within, dial, leave, inHalf},
		{"tcpopt on a connection", net.ListenConfig{}, net.Dialer{}, set, inHalf},
	} {
		tt.listenConfig.SetMultipathTCP(true) // As in a program whose go.mod says go 1.24 or later.
		l := listening(t, func(network, address string) (net.Listener, error) {
			return tt.listenConfig.Listen(context.Background(), network, address)
		})
		c, err := tt.dialer.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		a, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		for _, c := range []net.Conn{c, a} {
			tt.then(c)
			s, err := tcpopt.FromConn(c)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.Config(); got != tt.want || err != nil {
				t.Errorf("%s: %+v, %v, want %+v", tt.name, got, err, tt.want)
			}
		}
	}
}

// planText returns what plan 42s prints for a program, and in a file of that name
// in a folder of its own.
func planText(t testing.TB, target, name string) (text, path string) {
	t.Helper()
	status, text, stderr := command("plan", "42s", target)
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q", status, stderr)
	}
	path = filepath.Join(t.TempDir(), name)
	write(t, path, text)
	return text, path
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Kept is what the sockets of a program have.
type kept struct{ idle, interval, count, userTimeout float64 }

// of42s is what plan 42s says, for what has all of it.
var of42s = kept{21, 7, 3, 42}

// withoutTimeout is for what lacks the user timeout.
var withoutTimeout = kept{21, 7, 3, 0}

// wantKept has the command list the sockets that a program has open: those at
// ends, one each, with keepalive and these values.
func wantKept(t testing.TB, pid string, k kept, ends ...string) {
	t.Helper()
	for i := range ends {
		ends[i] = "-pid " + pid + " " + ends[i]
	}
	wantListed(t, k, ends...)
}

// wantListed is wantKept where flags say which program.
func wantListed(t testing.TB, k kept, ends ...string) {
	t.Helper()
	for _, end := range ends {
		sockets, whole := list(t, append(strings.Fields(end), "-state", "established")...)
		if len(sockets) != 1 || len(whole["unreadable"].(map[string]any)) > 0 {
			t.Fatalf("sockets %s: %v", end, whole)
		}
		for key, want := range map[string]any{
			"enable": true, "idle_seconds": k.idle, "interval_seconds": k.interval, "count": k.count, "user_timeout_seconds": k.userTimeout,
		} {
			if got := sockets[0][key]; got != want {
				t.Errorf("%s of %s at %s is %v, want %v", key, sockets[0]["command"], end, got, want)
			}
		}
	}
}

// output runs a program in h until it ends.
func output(t testing.TB, h *netlab.Host, name string, args ...string) string {
	t.Helper()
	var out strings.Builder
	cmd := exec.Command(findProgram(t, name), args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	labtest.Need(t, h.Start(cmd))
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, &out)
	}
	return out.String()
}

// dialIn connects in h.
func dialIn(t testing.TB, h *netlab.Host, address string) (c net.Conn) {
	t.Helper()
	err := h.Do(func() (err error) { c, err = net.Dial("tcp", address); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// acceptIn listens in h and returns what accepts.
func acceptIn(t testing.TB, h *netlab.Host, address string) (accept func()) {
	t.Helper()
	var l net.Listener
	err := h.Do(func() (err error) { l, err = net.Listen("tcp", address); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	l.(*net.TCPListener).SetDeadline(time.Now().Add(20 * time.Second))
	return func() {
		t.Helper()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
}

func TestPlanSysctl(t *testing.T) {
	t.Parallel()
	sysctl := findProgram(t, "sysctl")
	_, file := planText(t, "sysctl", "90-keepalive.conf")
	got, stderr := inHost(t, fmt.Sprintf(`%s -q -p %s; exec "$0" defaults -json`, sysctl, file))
	if stderr != "" {
		t.Errorf("stderr is %q", stderr)
	}
	var r report
	if err := json.Unmarshal([]byte(got), &r); err != nil {
		t.Fatal(err)
	}
	if d := r.Defaults; *d.Idle != 21 || *d.Interval != 7 || *d.Count != 3 {
		t.Errorf("defaults are %s", got)
	}
}

func TestPlanSystemd(t *testing.T) {
	t.Parallel()
	analyze := findProgram(t, "systemd-analyze")
	_, unit := planText(t, "systemd", "plan.socket")
	write(t, strings.TrimSuffix(unit, "socket")+"service", "[Service]\nExecStart=/bin/cat\nStandardInput=socket\n")
	if out, err := exec.Command(analyze, "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v, %s", err, out)
	}
}

func TestPlanNginx(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	h := labtest.NewHost(t)
	nginx := findProgram(t, "nginx")
	_, file := planText(t, "nginx", "server.conf")
	dir := filepath.Dir(file)
	main := filepath.Join(dir, "nginx.conf")
	write(t, main, `
daemon off;
master_process off;
pid nginx.PID();
error_log stderr notice;
events {}
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	include server.conf;
}
`)
	args := []string{"-e", "stderr", "-p", dir + "/", "-c", main}
	output(t, h, "nginx", append(args, "-t")...)
	pid := labtest.Launch(t, h, syscall.SIGTERM, "event method", exec.Command(nginx, args...))
	c := dialIn(t, h, "127.0.0.1:8080")
	if _, err := c.Write([]byte("GET /none HTTP/1.1\r\nHost: here\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 404") {
		t.Fatalf("nginx answered %q, %v", line, err)
	}
	wantKept(t, pid, withoutTimeout, "-local :8080")
}

func TestPlanHAProxy(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	h := labtest.NewHost(t)
	haproxy := findProgram(t, "haproxy")
	_, file := planText(t, "haproxy", "haproxy.cfg")
	if out := output(t, h, "haproxy", "-c", "-f", file); strings.Contains(out, "WARNING") {
		t.Errorf("haproxy -c: %s", out)
	}
	// A health check of another server shows that it runs: of HTTP, since others
	// are reset before there is something to accept.
	ready := filepath.Join(filepath.Dir(file), "ready.cfg")
	write(t, ready, "backend ready\n\toption httpchk\n\tserver ready 127.0.0.1:8079 check inter 1h\n")
	isReady, accept := acceptIn(t, h, "127.0.0.1:8079"), acceptIn(t, h, "127.0.0.1:8080")
	pid := labtest.Launch(t, h, syscall.SIGTERM, "", exec.Command(haproxy, "-db", "-f", file, "-f", ready))
	isReady()
	dialIn(t, h, "127.0.0.1:8081")
	accept()
	wantKept(t, pid, of42s, "-local :8081", "-remote :8080")
}

func TestPlanLibpq(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	a, b := labtest.NewHost(t), labtest.NewHost(t)
	labtest.NewCable(t, a, b)
	psql := findProgram(t, "psql")
	labtest.StartPostgres(t, b)
	text, _ := planText(t, "libpq", "conninfo")
	// After the query it reads until the end of its input.
	cmd := exec.Command(psql, "-X", "-A", "-t", "-c", "select 6 * 7", "-f", "-", fmt.Sprintf("host=%v user=postgres dbname=postgres %s", b.IPv4, text))
	cmd.Stderr = os.Stderr
	r := start(t, cmd, a.Start)
	if line := r.Line(t); line != "42" {
		t.Fatalf("psql said %q", line)
	}
	wantKept(t, r.PID(), of42s, "-remote :5432")
}
