package deploy

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

// settings returns the settings of a unit, the last of each name.
func settings(t testing.TB, file string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, line := range strings.Split(read(t, file), "\n") {
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			all[key] = value
		}
	}
	return all
}

// units copies the units to a folder, with the path of a command that exists, and
// returns the copies.
func units(t testing.TB) (files []string) {
	t.Helper()
	dir := t.TempDir()
	found, err := filepath.Glob("systemd/*")
	if err != nil || len(found) != 3 {
		t.Fatalf("units %q, %v", found, err)
	}
	command := build(t)
	for _, file := range found {
		text := strings.ReplaceAll(read(t, file), "/usr/bin/tcpopt", command)
		files = append(files, write(t, filepath.Join(dir, filepath.Base(file)), text))
	}
	return files
}

func TestUnits(t *testing.T) {
	t.Parallel()
	analyze := labtest.FindProgram(t, "systemd-analyze")
	files := units(t)
	verify := func(files ...string) string {
		out, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, files...)...).CombinedOutput()
		if err != nil {
			return fmt.Sprintf("%v: %s", err, out)
		}
		return string(out) // It succeeds even with unknown settings.
	}
	if said := verify(files...); said != "" {
		t.Errorf("systemd-analyze verify: %s", said)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".timer") {
			continue
		}
		out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", file).CombinedOutput()
		m := regexp.MustCompile(`Overall exposure level for (\S+): ([0-9.]+)`).FindSubmatch(out)
		if err != nil || m == nil {
			t.Fatalf("%v: %s", err, out)
		}
		t.Logf("exposure of %s: %s", m[1], m[2])
		if score, err := strconv.ParseFloat(string(m[2]), 64); err != nil || score > 2.0 {
			t.Errorf("the exposure of %s is %s, want at most 2.0:\n%s", m[1], m[2], out)
		}
	}
	bad := write(t, filepath.Join(t.TempDir(), "bad.service"), strings.Replace(read(t, files[0]), "ProtectHome=", "ProtectHouse=", 1))
	if said := verify(bad); !strings.Contains(said, "ProtectHouse") {
		t.Errorf("a wrong setting goes unseen: %q", said)
	}
}

// restricted returns a command that runs much as in the unit: with its capabilities and
// no others, as another user, who can gain none, and on a read-only file system.
func restricted(t testing.TB, unit string, args ...string) []string {
	t.Helper()
	all := settings(t, unit)
	drop, keep := "-all", "-all"
	for _, word := range strings.Fields(all["CapabilityBoundingSet"]) {
		drop += ",+" + strings.ToLower(strings.TrimPrefix(word, "CAP_"))
	}
	for _, word := range strings.Fields(all["AmbientCapabilities"]) {
		keep += ",+" + strings.ToLower(strings.TrimPrefix(word, "CAP_"))
	}
	if all["NoNewPrivileges"] != "yes" || all["ProtectSystem"] != "strict" || drop == "-all" {
		t.Fatalf("%s has changed", unit)
	}
	const readOnly = `mount --make-rprivate / && mount -o remount,bind,ro / && exec "$0" "$@"`
	return append([]string{"unshare", "--mount", "sh", "-c", readOnly,
		"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs",
		"--inh-caps=" + keep, "--ambient-caps=" + keep, "--bounding-set=" + drop}, args...)
}

// TestRestricted has programs of several users, and checks that the services see what
// root sees.
func TestRestricted(t *testing.T) {
	t.Parallel()
	needRoot(t)
	m, command := newMachine(t), build(t)
	address := m.IPv4.String() + ":6379"
	m.start("redis", labtest.FindProgram(t, "redis-server"), "--bind", m.IPv4.String(), "--protected-mode", "no", "--save", "", "--daemonize", "no")
	m.await(address)
	for i, user := range []string{"0", "1000", "65534"} {
		m.start("client"+strconv.Itoa(i), "setpriv", "--reuid="+user, "--regid="+user, "--clear-groups", "--",
			"env", billingProgram.Env(), billing(t), "-to", address, "-open")
	}
	list := func(args ...string) []string {
		var found struct {
			Sockets []struct {
				PID, FD       int
				Local, Remote string
				Enable        bool
				Idle          float64 `json:"idle_seconds"`
			}
			Processes []any `json:"unreadable_processes"`
		}
		if err := json.Unmarshal([]byte(m.output(args...)), &found); err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, s := range found.Sockets {
			all = append(all, fmt.Sprintf("%+v", s))
		}
		if len(found.Processes) > 0 {
			t.Errorf("%q: not read: %v", args, found.Processes)
		}
		slices.Sort(all)
		return all
	}
	const both = 3 * 2 * 2 // Clients, connections and ends.
	root := list(command, "ls", "-json")
	for deadline := time.Now().Add(30 * time.Second); len(root) < both && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		root = list(command, "ls", "-json")
	}
	for _, unit := range []string{"systemd/tcpopt-metrics.service", "systemd/tcpopt-set.service"} {
		if got := list(restricted(t, unit, command, "ls", "-json")...); !slices.Equal(got, root) || len(root) != both {
			t.Errorf("%s sees %q, root sees %q", unit, got, root)
		}
	}
	// Without the capabilities it sees less, and reports so.
	args := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", command, "metrics"}
	if text := m.output(args...); !regexp.MustCompile(`tcpopt_processes_unreadable\{reason="listing_denied"\} [1-9]`).MatchString(text) {
		t.Errorf("as another user:\n%s", text)
	}
}
