package deploy

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

var crowdProgram = labtest.NewProgram("crowd", crowd)

// crowd holds connections to itself, and makes a file when it has them.
func crowd() int {
	var flags flag.FlagSet
	n := flags.Int("sockets", 0, "how many sockets, not counting the listening one")
	network := flags.String("network", "tcp4", "tcp4 or tcp6")
	ready := flags.String("ready", "", "a file to make")
	flags.Parse(os.Args[1:])
	address := map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"}[*network]
	l, err := net.Listen(*network, address)
	var keep []net.Conn
	for len(keep) < *n && err == nil {
		var c net.Conn
		if c, err = net.Dial(*network, l.Addr().String()); err == nil {
			keep = append(keep, c)
			c, err = l.Accept()
			keep = append(keep, c)
		}
	}
	if err == nil {
		err = os.WriteFile(*ready, nil, 0o600)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(keep)
	return 0
}

// TestCost measures what it costs to write the metrics of a machine with few sockets
// and namespaces, or, with TCPOPT_COST set, with as many as large machines have.
func TestCost(t *testing.T) {
	needRoot(t)
	cases := []struct{ sockets, namespaces, each int }{{10, 1, 0}, {100, 1, 0}, {10, 10, 2}}
	_, long := os.LookupEnv("TCPOPT_COST")
	if long {
		cases = []struct{ sockets, namespaces, each int }{{10, 1, 0}, {1000, 1, 0}, {10000, 1, 0},
			{10, 50, 0}, {10, 200, 0}, {10, 50, 10}, {10, 200, 10}}
	} else {
		t.Parallel()
	}
	exe, command := billing(t), build(t)
	for _, tt := range cases {
		t.Run(fmt.Sprintf("%d sockets and %d namespaces of %d more", tt.sockets, tt.namespaces, tt.each), func(t *testing.T) {
			m := newMachine(t)
			dir := t.TempDir()
			wanted := 0
			crowd := func(n int, before ...string) {
				wanted++
				ready := filepath.Join(dir, strconv.Itoa(wanted))
				m.start(fmt.Sprintf("crowd%d", wanted), append(before, "env", crowdProgram.Env(), exe,
					"-sockets", strconv.Itoa(n), "-ready", ready)...)
			}
			crowd(tt.sockets)
			for range tt.namespaces - 1 {
				if tt.each == 0 {
					wanted++
					m.start("idle", "unshare", "--net", "sh", "-c", `touch "$0" && exec sleep 1000`, filepath.Join(dir, strconv.Itoa(wanted)))
					continue
				}
				crowd(tt.each, "unshare", "--net", "sh", "-c", `ip link set lo up && exec "$@"`, "sh")
			}
			for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
				found, err := filepath.Glob(filepath.Join(dir, "[0-9]*"))
				if err != nil || time.Now().After(deadline) {
					t.Fatalf("%d of %d are ready: %v", len(found), wanted, err)
				}
				if len(found) == wanted {
					break
				}
			}
			file := filepath.Join(dir, "tcpopt.prom")
			var scans, cpus []float64
			for range 11 {
				cmd := m.command(command, "metrics", "-o", file)
				if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
					t.Fatalf("%v: %s", err, out)
				}
				text := read(t, file)
				number := func(pattern string) float64 {
					sum := 0.0
					for _, match := range regexp.MustCompile("(?m)^"+pattern+" (.*)$").FindAllStringSubmatch(text, -1) {
						f, err := strconv.ParseFloat(match[1], 64)
						labtest.Need(t, err)
						sum += f
					}
					return sum
				}
				if n, want := number(`tcpopt_connections\{.*\}`), float64(tt.sockets+(tt.namespaces-1)*tt.each); n != want {
					t.Fatalf("%v connections, want %v", n, want)
				}
				scans = append(scans, 1000*number("tcpopt_scan_duration_seconds"))
				cpus = append(cpus, 1000*(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()).Seconds())
			}
			slices.Sort(scans)
			slices.Sort(cpus)
			t.Logf("a scan of %d sockets, and %d namespaces with %d each, takes %.1f ms (%.1f to %.1f), and %.0f ms of a processor",
				tt.sockets, tt.namespaces-1, tt.each, scans[5], scans[0], scans[10], cpus[5])
		})
	}
}
