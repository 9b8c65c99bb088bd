package tcpopt_test

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// A past is what a connection has been through when the cable is cut.
type past string

const (
	unprobed  past = "unprobed"   // no probe was sent yet
	probed    past = "probed"     // a probe was answered
	heard     past = "heard"      // data came some time after the answer
	closeWait past = "CLOSE_WAIT" // probed; the peer had closed its side before
	finWait   past = "FIN_WAIT2"  // probed; we had closed ours
)

// The cells: idle, interval, count and, if any, user timeout, all in tenths of a
// second but the count. The user timeouts are where timers' lateness does not
// decide.
var (
	gridUnprobed = [][4]int{
		{10, 10, 1}, {10, 10, 2}, {10, 10, 3}, {20, 10, 2}, {10, 20, 1}, {10, 20, 2}, {20, 20, 2}, {30, 10, 1},
		{30, 10, 4}, {40, 20, 2}, {20, 30, 2}, {50, 10, 3}, {10, 10, 9}, {60, 20, 3}, {30, 30, 3}, {10, 50, 2},
		// A user timeout shorter than idle,
		{10, 10, 3, 5}, {30, 10, 9, 10}, {20, 20, 5, 15}, {40, 10, 8, 30}, {10, 30, 4, 4}, {50, 20, 3, 20},
		// between idle and what the count would give,
		{10, 10, 8, 26}, {10, 10, 9, 36}, {20, 10, 8, 36}, {10, 20, 5, 27}, {10, 20, 5, 46}, {20, 30, 4, 77}, {30, 20, 5, 66}, {10, 40, 3, 86},
		// longer,
		{10, 10, 1, 36}, {10, 10, 2, 56}, {20, 10, 1, 47}, {10, 20, 1, 66}, {20, 20, 1, 77}, {10, 30, 1, 96}, {30, 10, 1, 56}, {10, 50, 1, 106},
		// and where a probed connection ends sooner.
		{10, 30, 9, 59}, {20, 30, 9, 60},
	}
	gridProbed = [][4]int{
		{10, 20, 2}, {10, 30, 3}, {10, 50, 1}, {20, 40, 2}, {20, 50, 1}, {30, 30, 2}, {50, 10, 3},
		{10, 40, 9, 30}, {10, 50, 9, 60}, {20, 60, 9, 80}, {20, 50, 2, 40}, {10, 30, 9, 59}, {20, 30, 9, 58},
		{20, 20, 2, 55}, {30, 10, 9, 50},
	}
	gridHeard = [][4]int{
		{10, 10, 2}, {20, 10, 2}, {10, 30, 2}, {10, 40, 1}, {20, 40, 1},
		{10, 10, 9, 26}, {20, 10, 9, 36}, {10, 30, 9, 59}, {10, 40, 9, 30},
	}
	gridHalfClosed = [][4]int{
		{10, 10, 2}, {20, 10, 2}, {10, 30, 2}, {10, 50, 1},
		{10, 10, 9, 26}, {20, 10, 9, 36}, {10, 30, 9, 40}, {10, 40, 9, 30},
	}
	gridLong = [][4]int{{20, 80, 1}, {10, 100, 1}, {20, 80, 2}, {20, 80, 2, 50}, {100, 750, 9, 300}} // up to three minutes
)

// A gridCell is a connection whose cable is cut.
type gridCell struct {
	past
	config    tcpopt.Config
	near, far *net.TCPConn
	outcome   string
}

// TestFaultGrid compares DetectionTime with what the kernel does on a cut cable.
// TCPOPT_GRID names a file for the table, which then has some that take long.
func TestFaultGrid(t *testing.T) {
	t.Parallel()
	var grid []*gridCell
	add := func(p past, configs ...[4]int) {
		for _, g := range configs {
			c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: tenths(g[0]), Interval: tenths(g[1]), Count: g[2], UserTimeout: tenths(g[3])}
			grid = append(grid, &gridCell{past: p, config: c})
		}
	}
	add(unprobed, gridUnprobed...)
	add(probed, gridProbed...)
	add(heard, gridHeard...)
	add(closeWait, gridHalfClosed...)
	add(finWait, gridHalfClosed...)
	if name := os.Getenv("TCPOPT_GRID"); name != "" {
		add(probed, gridLong...)
		t.Cleanup(func() {
			table := "past\tidle\tinterval\tcount\tuser timeout\tpredicted\tmeasured\n"
			for _, c := range grid {
				table += c.outcome
			}
			if err := os.WriteFile(name, []byte(table), 0o666); err != nil {
				t.Error(err)
			}
		})
	}
	cables := map[string][]*gridCell{} // Those that are cut at the same time share one.
	for _, c := range grid {
		name := string(c.past)
		if c.past != unprobed {
			name += " " + c.config.Idle.String()
		}
		cables[name] = append(cables[name], c)
	}
	for name, cells := range cables {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cutCells(t, cells)
		})
	}
}

func tenths(n int) time.Duration { return time.Duration(n) * 100 * time.Millisecond }

// cutCells gives the cells their past, cuts their cable and waits for their end.
func cutCells(t *testing.T, cells []*gridCell) {
	l := labtest.NewLab(t)
	segments := make([]uint32, len(cells)) // that came so far
	probes := make([]time.Time, len(cells))
	for i, c := range cells {
		c.near, c.far = l.Connect(t, false)
		set(t, c.near, c.config)
		hear(t, c.near, c.far)
		c.halfClose(t)
		segments[i] = tcpInfo(t, c.near).Segs_in
	}
	if cells[0].past != unprobed {
		for i, c := range cells {
			for deadline := time.Now().Add(late(c.config.Idle) + 5*time.Second); tcpInfo(t, c.near).Segs_in == segments[i]; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%s, %+v: no probe was answered", c.past, c.config)
				}
			}
		}
	}
	if cells[0].past == heard {
		for _, c := range cells {
			if c.config.Interval > c.config.Idle {
				until(t, fromConn(t, c.near), "silent", func(p tcpopt.Progress) bool { return p.Silence >= time.Second })
			}
		}
		for i, c := range cells {
			probes[i] = lastHeard(t, c.near)
			hear(t, c.near, c.far)
			segments[i] = tcpInfo(t, c.near).Segs_in
		}
	}
	if err := l.Cable.Cut(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i, c := range cells {
		last, probe := lastHeard(t, c.near), uint64(0)
		if tcpInfo(t, c.near).Segs_in == segments[i] { // Else a slow machine was probed meanwhile.
			switch c.past {
			case unprobed:
				probe = fresh
			case heard:
				probe = uint64(min(last.Sub(probes[i]), c.config.Interval))
			}
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			c.await(t, last, probe)
		}()
	}
	wg.Wait()
}

// halfClose closes one side, if that is the cell's past.
func (c *gridCell) halfClose(t *testing.T) {
	t.Helper()
	state := uint8(unix.BPF_TCP_ESTABLISHED)
	var err error
	switch c.past {
	case closeWait:
		state, err = unix.BPF_TCP_CLOSE_WAIT, c.far.CloseWrite()
	case finWait:
		state, err = unix.BPF_TCP_FIN_WAIT2, c.near.CloseWrite()
	}
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); tcpInfo(t, c.near).State != state; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: state is %d, want %d", c.past, tcpInfo(t, c.near).State, state)
		}
	}
}

// await waits for the verdict. The last segment came a time after the last probe.
func (c *gridCell) await(t *testing.T, last time.Time, probe uint64) {
	nominal, _ := c.config.DetectionTime()
	own, ok := timerOf(c.config).dies(probe)
	if !ok || own > nominal {
		t.Errorf("%s, %+v: its timer ends at %v, %v, want %v at most", c.past, c.config, own, ok, nominal)
	}
	limit := late(nominal) + time.Second
	var at time.Time
	var err error
	if c.past == closeWait { // Read says EOF all along.
		s := fromConn(t, c.near)
		for p := (tcpopt.Progress{}); !p.Aborted && err == nil && time.Since(last) < limit; time.Sleep(5 * time.Millisecond) {
			p, err = s.Progress()
		}
		at = time.Now()
		if err == nil {
			_, err = c.near.Write([]byte{1})
		}
	} else {
		at, err = end(c.near, limit)
	}
	after := at.Sub(last)
	if !tcpopt.IsDeadPeer(err) || after < own-early || after > late(nominal) {
		t.Errorf("%s, %+v: after %v: %v, want a dead peer after %v to %v", c.past, c.config, after, err, own-early, late(nominal))
	}
	c.outcome = fmt.Sprintf("%s\t%v\t%v\t%d\t%v\t%v\t%.2fs\n", c.past, c.config.Idle, c.config.Interval, c.config.Count, c.config.UserTimeout, nominal, after.Seconds())
}

// lastHeard is when the last segment came.
func lastHeard(t *testing.T, c net.Conn) time.Time {
	t.Helper()
	now := time.Now()
	p, err := fromConn(t, c).Progress()
	if err != nil {
		t.Fatal(err)
	}
	return now.Add(-p.Silence)
}

func tcpInfo(t *testing.T, c *net.TCPConn) (info *unix.TCPInfo) {
	t.Helper()
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var ierr error
	if err := rc.Control(func(fd uintptr) { info, ierr = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); err != nil || ierr != nil {
		t.Fatal(err, ierr)
	}
	return info
}
