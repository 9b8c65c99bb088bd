package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// startRedis starts a Redis server in h, at port 6379.
func startRedis(t testing.TB, h *netlab.Host) {
	t.Helper()
	cmd := exec.Command(findProgram(t, "redis-server"), "--bind", h.IPv4.String(), "--protected-mode", "no", "--save", "")
	cmd.Dir = t.TempDir()
	launch(t, h, syscall.SIGTERM, "Ready to accept connections", cmd)
}

// client starts a program in a host that connects, asks it and has an answer.
func client(t testing.TB, host *netlab.Host, question, answer, name string, args ...string) {
	t.Helper()
	r := start(t, exec.Command(findProgram(t, name), args...), host.Start)
	r.ask(t, question)
	if line := r.line(t); line != answer {
		t.Fatalf("%s: %s: %q, want %q", name, question, line, answer)
	}
}

// python prints what hold prints, of 9,800 ends of connections and a listener.
const python = `
import json, resource, socket, sys
most = max(10000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
TCP = socket.IPPROTO_TCP
address = lambda a: "%s:%d" % a[:2]
def describe(s, remote=""):
    get = lambda level, name: s.getsockopt(level, name)
    return {"FD": s.fileno(), "Local": address(s.getsockname()), "Remote": remote,
        "Enable": get(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0, "Idle": get(TCP, socket.TCP_KEEPIDLE),
        "Interval": get(TCP, socket.TCP_KEEPINTVL), "Count": get(TCP, socket.TCP_KEEPCNT),
        "Timeout": get(TCP, socket.TCP_USER_TIMEOUT) / 1000}
l = socket.create_server(("127.0.0.1", 0), backlog=16)
sockets = [l]
for i in range(4900):
    c = socket.create_connection(l.getsockname())
    if i % 98 == 0:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        c.setsockopt(TCP, socket.TCP_KEEPIDLE, 31)
        c.setsockopt(TCP, socket.TCP_KEEPINTVL, 7)
        c.setsockopt(TCP, socket.TCP_KEEPCNT, 5)
        c.setsockopt(TCP, socket.TCP_USER_TIMEOUT, 12345)
    sockets += [c, l.accept()[0]]
print(json.dumps([describe(l)] + [describe(s, address(s.getpeername())) for s in sockets[1:]]), flush=True)
sys.stdin.read()
`

// TestLsPython lists 9,800 ends of connections, 50 of which have a Config.
func TestLsPython(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	needsPrograms(t)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Max < 10000 && os.Geteuid() != 0 {
		t.Skipf("no more than %d descriptors here", limit.Max)
	}
	r, all := read(t, exec.Command(findProgram(t, "python3"), "-c", python), plainly)
	if len(all) != 9801 {
		t.Errorf("%d sockets, want 9801", len(all))
	}
	exact(t, r, all)
}

var _ = register("http", serveHTTP)

// serveHTTP is an HTTP server and five clients whose connections are idle.
func serveHTTP() int {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go http.Serve(l, http.NotFoundHandler())
	for range 5 {
		answer, err := (&http.Client{Transport: new(http.Transport)}).Head("http://" + l.Addr().String())
		if err != nil {
			fmt.Println(err)
			return 1
		}
		answer.Body.Close()
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// TestLsAgreesWithSS compares the idle connections of programs with what ss(8) has
// of the namespace that they have to themselves.
func TestLsAgreesWithSS(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	needsPrograms(t)
	ss := findProgram(t, "ss")
	for _, tt := range []struct {
		name    string
		start   func(*testing.T, *netlab.Host)
		on, off int    // how many ends have keepalive
		idle    string // and their idle times, each by how many
	}{
		{"Go", func(t *testing.T, h *netlab.Host) {
			hold(t, h.Start, "-n", "20", "-special", "7")
		}, 7, 33, "map[31:7 7200:33]"},
		{"HTTP", func(t *testing.T, h *netlab.Host) {
			start(t, self("http", net.JoinHostPort(h.IPv4.String(), "0")), h.Start).line(t)
		}, 10, 0, "map[15:10]"},
		{"HTTP by IPv6", func(t *testing.T, h *netlab.Host) {
			start(t, self("http", net.JoinHostPort(h.IPv6.String(), "0")), h.Start).line(t)
		}, 10, 0, "map[15:10]"},
		{"PostgreSQL", func(t *testing.T, h *netlab.Host) {
			startPostgres(t, h)
			conninfo := "user=postgres dbname=postgres host=" + h.IPv4.String()
			for _, more := range []string{"", "keepalives=0", "keepalives=0", "keepalives_idle=77", "options='-c tcp_keepalives_idle=99'"} {
				client(t, h, `SELECT 6 * 7;`, "42", "psql", "-XAt", conninfo+" "+more)
			}
		}, 8, 2, "map[77:1 99:1 7200:8]"},
		{"Redis", func(t *testing.T, h *netlab.Host) {
			startRedis(t, h)
			server := h.IPv4.String()
			for range 3 {
				client(t, h, "PING", "PONG", "redis-cli", "-h", server)
			}
			client(t, h, "CONFIG SET tcp-keepalive 0", "OK", "redis-cli", "-h", server)
			client(t, h, "PING", "PONG", "redis-cli", "-h", server)
		}, 9, 1, "map[15:5 300:4 7200:1]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := labtest.NewHost(t)
			tt.start(t, h)
			var want map[string]int
			for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				cmd := exec.Command(ss, "-Htno")
				var out bytes.Buffer
				cmd.Stdout = &out
				labtest.Need(t, h.Start(cmd))
				if err := cmd.Wait(); err != nil {
					t.Fatal(err)
				}
				want = map[string]int{}
				busy := false
				for line := range strings.Lines(out.String()) {
					f := strings.Fields(line)
					armed := strings.Contains(line, "timer:(keepalive,")
					busy = busy || !armed && strings.Contains(line, "timer:") || f[1] != "0" || f[2] != "0"
					want[fmt.Sprint(f[0], " ", f[3], " ", f[4], " ", armed)]++
				}
				if !busy {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("connections are not idle:\n%s", &out)
				}
			}
			var ns uint64
			labtest.Need(t, h.Do(func() (err error) { ns, err = namespaceOf("/proc/thread-self"); return err }))
			sockets, _ := list(t)
			got := map[string]int{}
			on, off, idle := 0, 0, map[any]int{}
			for _, s := range sockets {
				if s["netns"] != float64(ns) {
					continue
				}
				state := map[string]string{"established": "ESTAB"}[s["state"].(string)]
				got[fmt.Sprint(state, " ", s["local"], " ", s["remote"], " ", s["enable"])]++
				if idle[s["idle_seconds"]]++; s["enable"] == true {
					on++
				} else {
					off++
				}
			}
			if !maps.Equal(got, want) {
				t.Errorf("ls has %v\nss has %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
			if on != tt.on || off != tt.off || fmt.Sprint(idle) != tt.idle {
				t.Errorf("%d on, %d off, idle times %v, want %d, %d, %s", on, off, idle, tt.on, tt.off, tt.idle)
			}
		})
	}
}

// TestFaultSetRedis gives an idle redis-cli, as Debian has it, ten seconds to
// notice that the cable is cut; one beside it has its own settings.
func TestFaultSetRedis(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	near, far := labtest.NewHost(t), labtest.NewHost(t)
	cable := labtest.NewCable(t, near, far)
	startRedis(t, far)
	subscriber := func() *running {
		t.Helper()
		cmd := exec.Command(findProgram(t, "redis-cli"), "-h", far.IPv4.String(), "subscribe", "news")
		r := start(t, cmd, func(cmd *exec.Cmd) error {
			cmd.Stderr = cmd.Stdout
			return near.Start(cmd)
		})
		t.Cleanup(func() { cmd.Process.Kill() })
		for line := ""; line != "1"; { // The number of channels.
			line = r.line(t)
		}
		return r
	}
	one, other := subscriber(), subscriber()
	set(t, "-pid", one.pid, "-remote", ":6379", "-within", "10s")
	if err := cable.Cut(); err != nil {
		t.Fatal(err)
	}
	cut := time.Now()
	line, err := one.lines.ReadString('\n')
	if took := time.Since(cut); line != "Error: recv timeout\n" && !strings.HasSuffix(line, "Connection timed out\n") || took > 11500*time.Millisecond {
		t.Errorf("after %v redis-cli says %q, %v", took, line, err)
	} else {
		t.Logf("%v after the cut redis-cli says %q", took, line)
	}
	if sockets, _ := list(t, "-pid", other.pid); len(sockets) != 1 {
		t.Errorf("the other has the connections %v, want one", sockets)
	}
}
