package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// TestSelect asks ls and set for sockets by the same flags.
func TestSelect(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	h := labtest.NewHost(t) // Whose other sockets no filter finds.
	path := renamed(t, "select"+strconv.Itoa(os.Getpid()))
	r, all := hold(t, func(cmd *exec.Cmd) error { cmd.Path = path; return h.Start(cmd) }, "-ip", h.IPv4.String(), "-n", "4", "-special", "2")
	_, port, _ := net.SplitHostPort(all[0].Local)
	ends := func(i int) string { return all[i].Local } // Clients are odd.
	// Tests of other packages have hosts of their own with the same address.
	name := commandOf(t, r.PID())
	in := "-local " + h.IPv4.String() + " -name " + name + " "
	for _, tt := range []struct {
		name, args string
		want       int
	}{
		{"two local addresses", "-local " + ends(1) + " -local " + ends(3), 2},
		{"two remote addresses", "-remote " + ends(1) + " -remote " + ends(3), 2},
		{"both of two kinds", "-local :" + port + " -remote " + ends(1) + " -remote " + ends(3) + " -remote 192.0.2.1", 2},
		{"network and port", "-local " + h.IPv4.String() + "/30:" + port, 4},
		{"network and another port", "-local " + h.IPv4.String() + "/30:1", 0},
		{"another network and port", "-local 192.0.2.0/24:" + port, 0},
		{"two states", in + "-state established -state syn-sent", 8},
		{"two states, one of them for -listen", in + "-state listen -state established", 9},
		{"without keepalive", in + "-without-keepalive", 6},
		{"slower", in + "-slower 37.9s", 8},
		{"slower than some", in + "-slower 38s", 6},
		{"quieter", in + "-quieter 30.9s", 8},
		{"quieter than some", in + "-quieter 31s", 6},
		{"suspect", in + "-suspect", 0},
		{"two names", in + "-name nobodyhasthis", 8},
		{"of a process", "-local " + h.IPv4.String() + " -pid " + r.PID(), 8},
	} {
		args := strings.Fields(tt.args)
		if sockets, _ := list(t, args...); len(sockets) != tt.want {
			t.Errorf("%s: ls has %d sockets, want %d", tt.name, len(sockets), tt.want)
		}
		status, stdout, stderr := command(append([]string{"set", "-idle", "77s", "-dry-run"}, args...)...)
		if got := strings.Count(stdout, "  planned  ") + strings.Count(stdout, "  would be "); got != tt.want || tt.want > 0 && (status != 0 || stderr != "") {
			t.Errorf("%s: set: status %d, stderr %q, %d would change, want %d", tt.name, status, stderr, got, tt.want)
		}
		if tt.want == 0 && (status != 1 || stderr != "tcpopt set: no TCP connection matches\n") {
			t.Errorf("%s: set: status %d, stderr %q", tt.name, status, stderr)
		}
	}
	status, stdout, stderr := command("set", "-on", "-local", h.IPv4.String(), "-name", name, "-without-keepalive")
	if status != 0 || stderr != "" || !strings.Contains(stdout, "6 changed") {
		t.Errorf("set: status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	if sockets, _ := list(t, "-pid", r.PID(), "-without-keepalive"); len(sockets) != 0 {
		t.Errorf("%d sockets without keepalive, want 0", len(sockets))
	}
}

// TestQuieter has connections whose keepalive is about as often as what is on the
// way forgets them. That MaxSilence is how long they carry nothing is measured by
// TestFaultMaxSilence of the package tcpopt.
func TestQuieter(t *testing.T) {
	needsTaking(t)
	needsPrograms(t) // The tables of the kernel are in its own byte order, not in that of an emulator.
	t.Parallel()
	l := labtest.Listen(t, nil, labtest.Loopback("tcp4"), false)
	limits := []time.Duration{240 * time.Second, 350 * time.Second, 600 * time.Second, 900 * time.Second}
	var configs []tcpopt.Config
	for _, limit := range limits {
		for _, d := range []time.Duration{limit - time.Second, limit, limit + time.Second} {
			configs = append(configs,
				tcpopt.Config{KeepAlive: tcpopt.On, Idle: d, Interval: 10 * time.Second, Count: 3},
				tcpopt.Config{KeepAlive: tcpopt.On, Idle: 10 * time.Second, Interval: d, Count: 1},
				tcpopt.Config{KeepAlive: tcpopt.On, Idle: d, Interval: time.Second, Count: 9, UserTimeout: time.Minute})
		}
	}
	configs = append(configs, tcpopt.Config{Idle: 10 * time.Second, Interval: time.Second, Count: 3}, tcpopt.Config{UserTimeout: time.Minute})
	silences := map[string]time.Duration{}
	for _, c := range configs {
		conn := labtest.Dial(t, nil, l.Addr().String(), false)
		s, err := tcpopt.FromConn(conn)
		labtest.Need(t, err)
		labtest.Need(t, s.SetConfig(c))
		silences[conn.LocalAddr().String()] = c.MaxSilence()
	}
	// The numbers are those of the manuals, not of MaxSilence.
	for limit, want := range map[time.Duration]int{240 * time.Second: 3 + 3*9 + 2, 350 * time.Second: 3 + 2*9 + 2, 600 * time.Second: 3 + 9 + 2, 900 * time.Second: 3 + 2} {
		ours := []string{"-pid", strconv.Itoa(os.Getpid()), "-remote", l.Addr().String(), "-quieter", limit.String()}
		sockets, _ := list(t, ours...)
		got := map[string]bool{}
		for _, s := range sockets {
			local := s["local"].(string)
			seconds, bounded := s["max_silence_seconds"].(float64)
			if d := silences[local]; bounded != (d != tcpopt.Unbounded) || bounded && seconds != d.Seconds() {
				t.Errorf("a longest silence of %v is %v", d, s["max_silence_seconds"])
			}
			got[local] = true
		}
		for local, d := range silences {
			if got[local] != (d > limit) {
				t.Errorf("-quieter %v: %v for one that may be silent for %v", limit, got[local], d)
			}
		}
		if len(sockets) != want {
			t.Errorf("-quieter %v: %d sockets, want %d", limit, len(sockets), want)
		}
		_, stdout, _ := command(append([]string{"set", "-within", "90s", "-dry-run"}, ours...)...)
		if n := strings.Count(stdout, "  before "); n != want {
			t.Errorf("set -quieter %v: %d sockets, want %d", limit, n, want)
		}
	}
}

// TestFaultQuieter has a NAT router on the way: what ls lists is what it forgets.
func TestFaultQuieter(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	const forget = 4 * time.Second
	l := labtest.NewLab(t)
	labtest.Need(t, l.Cable.Masquerade(l.Near, forget))
	configs := []tcpopt.Config{
		{KeepAlive: tcpopt.On, Idle: time.Second, Interval: time.Second, Count: 9},
		{KeepAlive: tcpopt.On, Idle: 3 * time.Second, Interval: time.Second, Count: 9},
		{KeepAlive: tcpopt.On, Idle: 3 * time.Second, Interval: 2 * time.Second, Count: 9, UserTimeout: time.Minute},
		{KeepAlive: tcpopt.On, Idle: 6 * time.Second, Interval: time.Second, Count: 9},
		{KeepAlive: tcpopt.On, Idle: time.Second, Interval: 6 * time.Second, Count: 9},
		{Idle: time.Second, Interval: time.Second, Count: 9},
	}
	var near, far []net.Conn
	for _, c := range configs {
		n, f := l.Connect(t, false)
		s, err := tcpopt.FromConn(n)
		labtest.Need(t, err)
		labtest.Need(t, s.SetConfig(c))
		near, far = append(near, n), append(far, f)
	}
	sockets, _ := list(t, "-pid", strconv.Itoa(os.Getpid()), "-remote", l.Far.IPv4.String(), "-quieter", forget.String())
	listed := map[any]bool{}
	for _, s := range sockets {
		listed[s["local"]] = true
	}
	time.Sleep(3 * forget)
	for i, c := range configs {
		if _, err := far[i].Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		near[i].SetReadDeadline(time.Now().Add(2 * time.Second))
		_, err := near[i].Read(make([]byte, 1))
		if forgotten := err != nil; forgotten != listed[near[i].LocalAddr().String()] || forgotten != (i >= 3) {
			t.Errorf("%+v: forgotten %v, %v, listed %v", c, forgotten, err, listed[near[i].LocalAddr().String()])
		}
	}
}

// commandOf is what ls has as the command of a process.
func commandOf(t testing.TB, pid string) string {
	t.Helper()
	comm, err := os.ReadFile("/proc/" + pid + "/comm")
	labtest.Need(t, err)
	return strings.TrimSuffix(string(comm), "\n")
}

// TestSelectZone has one address on two devices.
func TestSelectZone(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	h := labtest.NewHost(t)
	ip := findProgram(t, "ip")
	run := func(name string, args ...string) (stdout, stderr string) {
		cmd := exec.Command(name, args...)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		labtest.Need(t, h.Start(cmd))
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%s %q: %v: %s", name, args, err, &errs)
		}
		return out.String(), errs.String()
	}
	run(ip, "link", "add", "zone0", "type", "veth", "peer", "name", "zone1")
	for _, device := range []string{"zone0", "zone1"} {
		run(ip, "link", "set", device, "up")
		run(ip, "addr", "add", "fe80::2/64", "dev", device, "nodad")
	}
	var pids []string
	for _, device := range []string{"zone0", "zone1"} {
		r, _ := hold(t, h.Start, "-ip", "fe80::2%"+device, "-n", "1")
		pids = append(pids, r.PID())
	}
	both := []string{"ls", "-pid", pids[0], "-pid", pids[1]}
	for _, tt := range []struct {
		args string
		want string // the devices
	}{
		{"", "zone0 zone0 zone1 zone1"},
		{"-remote fe80::2", "zone0 zone0 zone1 zone1"},
		{"-remote fe80::/10", "zone0 zone0 zone1 zone1"},
		{"-remote fe80::2%zone0", "zone0 zone0"},
		{"-local fe80::2%zone1", "zone1 zone1"},
		{"-remote fe80::2%zone2", ""},
		{"-remote fe80::3%zone0", ""},
	} {
		args := append(both, strings.Fields(tt.args)...)
		// From outside and from within, which reads the tables in another way.
		_, outside, _ := command(args...)
		cmd := theCommand.Command(args...)
		cmd.Stderr = nil
		var within bytes.Buffer
		cmd.Stdout = &within
		labtest.Need(t, h.Start(cmd))
		cmd.Wait()
		for where, text := range map[string]string{"outside": outside, "within": within.String()} {
			var got []string
			for _, m := range regexp.MustCompile(`(?m) \[fe80::2%(\w+)\]:\d+ +\[fe80::2%(\w+)\]:\d+ +established`).FindAllStringSubmatch(text, -1) {
				if m[1] != m[2] {
					t.Errorf("%s: %q", where, m[0])
				}
				got = append(got, m[1])
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%s, ls %s: devices %q, want %q\n%s", where, tt.args, got, tt.want, text)
			}
		}
	}
	sockets, _ := list(t, "-pid", pids[0])
	for _, s := range sockets {
		for _, key := range []string{"local", "remote"} {
			if !strings.HasPrefix(s[key].(string), "[fe80::2%zone0]:") {
				t.Errorf("%s is %v", key, s[key])
			}
		}
	}
	// A restore line has the zone, and is understood.
	out := set(t, "-pid", pids[0], "-remote", sockets[0]["remote"].(string), "-on")
	restore := regexp.MustCompile(`(?m)^ +restore +tcpopt (set .* -remote \[fe80::2%zone0\].*)$`).FindStringSubmatch(out)
	if restore == nil {
		t.Fatalf("no zone in\n%s", out)
	}
	if status, _, stderr := command(strings.Fields(restore[1])...); status != 0 || stderr != "" {
		t.Errorf("%s: status %d, stderr %q", restore[1], status, stderr)
	}
}

// TestSelectDescriptor asks for what is no TCP connection.
func TestSelectDescriptor(t *testing.T) {
	needsTaking(t)
	self := strconv.Itoa(os.Getpid())
	socket := func(family, kind int) int {
		t.Helper()
		fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
		labtest.Need(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	udp := socket(unix.AF_INET, unix.SOCK_DGRAM)
	if _, err := unix.Fgetxattr(udp, "system.sockprotoname", make([]byte, 64)); err != nil {
		t.Skipf("sockets have no names here: %v", err)
	}
	name := filepath.Join(t.TempDir(), "a\u202efile")
	f, err := os.Create(name)
	labtest.Need(t, err)
	defer f.Close()
	for _, tt := range []struct {
		fd   int
		want string
	}{
		{udp, "a UDP socket"},
		{socket(unix.AF_UNIX, unix.SOCK_STREAM), "a Unix socket"},
		{socket(unix.AF_NETLINK, unix.SOCK_RAW), "a NETLINK socket"},
		{socket(unix.AF_INET, unix.SOCK_STREAM), "a TCP socket that is not connected and does not listen, or that other flags leave out"},
		{int(f.Fd()), "the file " + strings.ReplaceAll(name, "\u202e", "?")},
		{1 << 20, "not open"},
	} {
		fd := strconv.Itoa(tt.fd)
		want := "tcpopt set: no TCP connection matches: descriptor " + fd + " of process " + self + " is " + tt.want + "\n"
		if status, stdout, stderr := command("set", "-pid", self, "-fd", fd, "-on"); status != 1 || stdout != "" || stderr != want {
			t.Errorf("status %d, stdout %q, stderr %q, want 1 and %q", status, stdout, stderr, want)
		}
	}
}
