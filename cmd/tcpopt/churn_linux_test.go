package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt/internal/census"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

var churnProgram = labtest.NewProgram("churn", churn)

// churn opens connections and closes one of 256 until the end of its input. For
// each line of that, it prints what there was since the one before: closes, errors,
// and of the closes' times the median, the 99.9th percentile and the longest in µs.
func churn() int {
	var flags flag.FlagSet
	pause := flags.Duration("pause", 0, "how long to wait after each connection")
	flags.Parse(os.Args[1:])
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready")
	lines, ends := make(chan bool), make(chan time.Time)
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- true
		}
		close(lines)
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				ends <- time.Now()
				c.Close()
			}()
		}
	}()
	bad := 0
	complain := func(err error) {
		if err != nil {
			bad++
			fmt.Fprintln(os.Stderr, "churn:", err)
		}
	}
	var closes []time.Duration
	var conns []net.Conn
	var files []*os.File
	for {
		select {
		case _, ok := <-lines:
			if !ok {
				return 0
			}
			closes = append(closes, 0) // There is a longest, even of none.
			slices.Sort(closes)
			n := len(closes) - 1
			fmt.Println(n, bad, closes[n/2].Microseconds(), closes[n*999/1000].Microseconds(), closes[n].Microseconds())
			closes, bad = closes[:0], 0
		default:
		}
		time.Sleep(*pause)
		c, err := net.Dial("tcp", l.Addr().String())
		complain(err)
		if err != nil {
			continue
		}
		_, err = c.Write([]byte("x"))
		complain(err)
		_, err = io.ReadFull(c, make([]byte, 1))
		complain(err)
		if conns = append(conns, c); len(conns) < 256 { // Time for ls to find it.
			continue
		}
		// Any of them: ls may be holding one that is young.
		i := rand.N(len(conns))
		start := time.Now()
		complain(conns[i].Close())
		conns = slices.Delete(conns, i, i+1)
		end := <-ends // Now the other end knows, which a duplicate delays.
		closes = append(closes, max(time.Since(start), end.Sub(start)))
		// The number that the connection had becomes something else's.
		f, err := os.Open("/dev/null")
		complain(err)
		if files = append(files, f); len(files) == 8 {
			for _, f := range files {
				f.Close()
			}
			files = files[:0]
		}
		u, err := net.Dial("udp", "127.0.0.1:9")
		complain(err)
		u.Close()
	}
}

// urgently starts a program that other programs do not keep from the processor,
// or plainly where that needs CAP_SYS_NICE.
func urgently(cmd *exec.Cmd) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // And never unlocks: the thread ends.
		unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 2}, 0)
		done <- cmd.Start()
	}()
	return <-done
}

// TestChurn lists a program that opens and closes connections. Of one that no
// other keeps from the processor, a close that takes long is one that ls delays.
// How long others take is printed, beside what they take when ls works as much
// but takes no descriptor.
func TestChurn(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	span, controls := 3*time.Second, os.Getenv("TCPOPT_CHURN")
	if controls != "" {
		var err error
		if span, err = time.ParseDuration(controls); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		by     func(*exec.Cmd) error
		pause  string
		urgent bool
	}{
		{"plain", plainly, "0", false},
		{"urgent", urgently, "500us", true}, // Or it would leave ls no processor.
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, churnProgram.Command("-pause", tt.pause), tt.by)
			r.Line(t)
			pid, _ := strconv.Atoi(r.PID())
			attr, err := unix.SchedGetAttr(pid, 0)
			if err != nil {
				t.Fatal(err)
			}
			if tt.urgent && attr.Policy != unix.SCHED_FIFO {
				t.Skip("no CAP_SYS_NICE")
			}
			// during repeats round until it has found something, and returns what the
			// program reports of that time.
			during := func(what string, round func() bool) (longest int) {
				r.Ask(t, "")
				r.Line(t)
				rounds, found, start := 0, false, time.Now()
				for ; time.Since(start) < span || !found && time.Since(start) < 10*span; rounds++ {
					found = round() || found
				}
				r.Ask(t, "")
				var n, bad, median, most int
				line := r.Line(t)
				if _, err := fmt.Sscan(line, &n, &bad, &median, &most, &longest); err != nil || bad != 0 || n == 0 {
					t.Errorf("the program says %q, want no errors", line)
				}
				t.Logf("%s (%d times): %d closes, median %d µs, 99.9 %% %d µs, longest %d µs", what, rounds, n, median, most, longest)
				return longest
			}
			rows := 0
			var held time.Duration
			ls := func() bool {
				sockets, _ := list(t, "-pid", r.PID(), "-listen")
				for _, s := range sockets {
					if local := fmt.Sprint(s["local"]); s["protocol"] != "tcp" && s["protocol"] != "mptcp" || !strings.HasPrefix(strings.TrimPrefix(local, "[::ffff:"), "127.0.0.1") {
						t.Errorf("listed %v", s)
					}
				}
				c, err := census.Take(&census.Query{PIDs: []int{pid}})
				if err != nil {
					t.Fatal(err)
				}
				rows += len(c.Sockets)
				for i := range c.Sockets {
					held = max(held, c.Sockets[i].Held)
				}
				return rows > 0
			}
			longest := during("ls", ls)
			// A busy machine stops any program now and then, for other reasons.
			for try := 0; tt.urgent && longest > 10_000 && controls == "" && try < 2; try++ {
				longest = during("ls", ls)
			}
			t.Logf("%d connections listed, a duplicate held for %v at most", rows, held)
			if tt.urgent && longest > 10_000 {
				t.Errorf("a close took %d µs, want 10 ms at the most", longest)
			}
			if rows == 0 {
				t.Error("no connection was seen")
			}
			if controls != "" && !tt.urgent {
				during("ls that takes nothing", func() bool {
					list(t, "-pid", r.PID(), "-remote", "192.0.2.1")
					list(t, "-pid", r.PID(), "-remote", "192.0.2.1")
					return true
				})
				during("ss -tanpo", func() bool { return exec.Command("ss", "-tanpo").Run() == nil })
				during("nothing", func() bool { time.Sleep(span); return true })
			}
		})
	}
}
