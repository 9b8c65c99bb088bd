package census

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

// newGroup makes a control group of v1 or v2 and returns its directory.
func newGroup(t testing.TB, name string) string {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"} {
		if _, err := os.Stat(root + "/cgroup.procs"); err != nil {
			continue
		}
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o755); err == nil {
			t.Cleanup(func() { os.Remove(dir) })
			return dir
		}
	}
	t.Skip("no control groups can be made here")
	return ""
}

// TestDetails has a process in a group with the name of a Docker container, run by
// another user if possible, with arguments that a terminal cannot show.
func TestDetails(t *testing.T) {
	needsTaking(t)
	id := strings.Repeat(fmt.Sprintf("%016x", os.Getpid()), 4)
	group := newGroup(t, "docker-"+id+".scope")
	user := uint32(os.Getuid())
	p := sleeping(t, func(cmd *exec.Cmd) error {
		if os.Geteuid() == 0 {
			user = 65534
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
		}
		return cmd.Start()
	}, "\x1b[31m", "two words", "\u202e")
	labtest.Need(t, os.WriteFile(group+"/cgroup.procs", []byte(p.PID()), 0))
	t.Cleanup(func() { // A group with a process cannot be removed.
		p.In.Close()
		p.Wait()
	})
	wanted := Query{PIDs: []int{p.Process.Pid}, Listen: true, Details: true}
	c, err := Take(&wanted)
	labtest.Need(t, err)
	if len(c.Sockets) != 1 || c.Sockets[0].Process == nil {
		t.Fatalf("sockets are %+v, want one with its process", c.Sockets)
	}
	d := c.Sockets[0].Process
	if d.CommandLine == nil || d.User == nil || d.Unit == nil {
		t.Fatalf("the process is %+v", d)
	}
	if want := "/proc/self/exe \x1b[31m two words \u202e"; *d.CommandLine != want || *d.User != user {
		t.Errorf("command line %q of %d, want %q of %d", *d.CommandLine, *d.User, want, user)
	}
	if want := "docker/" + id[:12]; d.Unit.Container != id || d.Unit.Label() != want {
		t.Errorf("unit is %+v, want %s", *d.Unit, want)
	}
	if c, err := Take(&Query{PIDs: []int{p.Process.Pid}, Listen: true}); err != nil || len(c.Sockets) != 1 || c.Sockets[0].Process != nil || c.Sockets[0].Limit != nil {
		t.Errorf("%+v, %v: more than was asked for", c, err)
	}

	for _, tt := range []struct {
		name string
		q    Query
		want bool
	}{
		{"unit", Query{Units: []string{"none.service", "docker/" + id[:12]}}, true},
		{"user", Query{Users: []uint32{4000000000, user}, Units: []string{id}}, true},
		{"command line", Query{CommandLines: []string{"nothing", "two words"}, Units: []string{id}}, true},
		{"all and a command", Query{Commands: []string{"exe"}, CommandLines: []string{"two"}, Users: []uint32{user}, Units: []string{id}}, true},
		{"another unit", Query{Units: []string{id[1:]}}, false},
		{"another user", Query{Users: []uint32{4000000000}, Units: []string{id}}, false},
		{"another command line", Query{CommandLines: []string{"TWO"}, Units: []string{id}}, false},
		{"another of several", Query{CommandLines: []string{"two"}, Units: []string{id}, Commands: []string{"none"}}, false},
	} {
		tt.q.Listen = true
		c, err := Take(&tt.q)
		none, _ := err.(*NoProcessError)
		if got := err == nil && len(c.Sockets) == 1 && c.Sockets[0].PID == p.Process.Pid; got != tt.want || !got && none == nil {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

// TestNetNS selects by network namespaces, one of which has a name.
func TestNetNS(t *testing.T) {
	needsTaking(t)
	h := labtest.NewHost(t)
	p := sleeping(t, h.Start)
	number, err := namespaceOf("/proc/" + p.PID())
	labtest.Need(t, err)
	words := []string{fmt.Sprint(number)}
	name := fmt.Sprintf("tcpopt-%d", os.Getpid())
	if os.MkdirAll(netnsDir, 0o755) == nil && os.WriteFile(netnsDir+name, nil, 0o600) == nil {
		t.Cleanup(func() { os.Remove(netnsDir + name) })
		if _, err := Take(&Query{NetNS: []string{name}}); err == nil || !strings.Contains(err.Error(), "no namespace is mounted there") {
			t.Errorf("a name with none mounted: %v", err)
		}
		if syscall.Mount("/proc/"+p.PID()+"/ns/net", netnsDir+name, "", syscall.MS_BIND, "") == nil {
			t.Cleanup(func() { syscall.Unmount(netnsDir+name, syscall.MNT_DETACH) })
			words = append(words, name)
		}
	}
	for _, word := range words {
		c, err := Take(&Query{NetNS: []string{word}, Listen: true, Details: true})
		labtest.Need(t, err)
		if len(c.Sockets) != 1 || c.Sockets[0].PID != p.Process.Pid || len(words) > 1 && c.Sockets[0].NetNSName != name {
			t.Errorf("%s: %+v", word, c.Sockets)
		}
	}
	own, _ := namespaceOf("/proc/self")
	c, err := Take(&Query{NetNS: append(words, fmt.Sprint(own)), Listen: true})
	labtest.Need(t, err)
	if !slices.ContainsFunc(c.Sockets, func(s Socket) bool { return s.PID == p.Process.Pid }) {
		t.Errorf("two namespaces: %d sockets, not those of %s", len(c.Sockets), p.PID())
	}
	for word, want := range map[string]string{
		"7":          "network namespace 7: no process in it can be read",
		"nonesuch\n": `network namespace "nonesuch\n": want a number, or a name of ip netns: no such file or directory`,
	} {
		if _, err := Take(&Query{NetNS: []string{word}}); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", word, err, want)
		}
	}
}
