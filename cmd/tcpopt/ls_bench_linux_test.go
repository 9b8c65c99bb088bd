package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt/internal/census"
)

// BenchmarkLs lists the connections of several processes to a file, in turns with
// ss -tanpo, and also compares the processor time, which a busy machine leaves alone,
// and reports the memory and how long a duplicate was held.
//
//	go test -run '^$' -bench 'Ls/sockets=10000$' -benchtime 21x ./cmd/tcpopt
func BenchmarkLs(b *testing.B) {
	for _, sockets := range []int{100, 1000, 10_000, 50_000} {
		b.Run(fmt.Sprintf("sockets=%d", sockets), func(b *testing.B) { benchmarkLs(b, sockets) })
	}
}

func benchmarkLs(b *testing.B, sockets int) {
	needsTaking(b)
	// Ss lists sockets in TIME_WAIT, which no process has.
	for end := time.Now().Add(2 * time.Minute); b.N > 1 && countTimeWait(b) > sockets/100; time.Sleep(time.Second) {
		if time.Now().After(end) {
			b.Skip("too many sockets in TIME_WAIT")
		}
	}
	programs := max(5, sockets/2000)
	for i := range programs { // Each connection has two ends.
		hold(b, plainly, "-ip", "127.1.0."+strconv.Itoa(i+1), "-n", strconv.Itoa(sockets/programs/2))
	}
	out, err := os.CreateTemp(b.TempDir(), "")
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	rss := int64(0)
	timed := func(cmd *exec.Cmd) (took, cpu time.Duration) {
		out.Truncate(0)
		out.Seek(0, 0)
		cmd.Stdout, cmd.Stderr = out, os.Stderr
		start := time.Now()
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		return time.Since(start), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	_, err = exec.LookPath("ss")
	var ls, ss, lsCPU, ssCPU []time.Duration
	for range b.N {
		cmd := theCommand.Command("ls")
		took, cpu := timed(cmd)
		ls, lsCPU = append(ls, took), append(lsCPU, cpu)
		rss = max(rss, maxRSS(cmd))
		if err == nil {
			took, cpu := timed(exec.Command("ss", "-tanpo"))
			ss, ssCPU = append(ss, took), append(ssCPU, cpu)
		}
	}
	var holds []time.Duration
	for range 10 {
		c, err := census.Take(&census.Query{})
		if err != nil || len(c.Sockets) < sockets {
			b.Fatalf("%d sockets, %v", len(c.Sockets), err)
		}
		for i := range c.Sockets {
			holds = append(holds, c.Sockets[i].Held)
		}
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2].Nanoseconds())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ls)/1e6, "ls-ms")
	if len(ss) > 0 {
		b.ReportMetric(median(ss)/1e6, "ss-ms")
		b.ReportMetric(median(ls)/median(ss), "ls/ss")
		b.ReportMetric(median(lsCPU)/median(ssCPU), "ls/ss-cpu")
	}
	b.ReportMetric(float64(rss)/1024, "MiB")
	b.ReportMetric(median(holds)/1e3, "held-median-µs")
	b.ReportMetric(float64(holds[len(holds)*999/1000].Nanoseconds())/1e3, "held-p999-µs")
	b.ReportMetric(float64(slices.Max(holds).Nanoseconds())/1e3, "held-worst-µs")
}

func countTimeWait(b *testing.B) (n int) {
	text, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), " tw ")
	if _, err := fmt.Sscan(after, &n); err != nil {
		b.Fatal(err)
	}
	return n
}

// maxRSS is in KiB.
func maxRSS(cmd *exec.Cmd) int64 {
	return int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
}
