package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt/internal/census"
)

// times is how often a test repeats what seldom goes wrong: a few times, or as
// often as the environment has it.
func times(t testing.TB, variable string, few int) int {
	t.Helper()
	text, ok := os.LookupEnv(variable)
	if !ok {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		t.Fatalf("%s is %q", variable, text)
	}
	return n
}

// FuzzArguments runs the command with random arguments, which a seed stands for.
// set does nothing but a dry run, and demo, which takes its time, is left out.
func FuzzArguments(f *testing.F) {
	for seed := range times(f, "TCPOPT_ARGUMENTS", 100) {
		f.Add(uint64(seed))
	}
	dir, err := os.MkdirTemp("", "arguments") // Wine 8 fails a test that removes one.
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { os.RemoveAll(dir) })
	f.Fuzz(func(t *testing.T, seed uint64) {
		args := randomArguments(rand.New(rand.NewPCG(seed, 1)), dir)
		type result struct {
			status         int
			stdout, stderr bytes.Buffer
		}
		done := make(chan *result, 1)
		go func() {
			r := new(result)
			r.status = run(args, &r.stdout, &r.stderr) // A panic ends all tests.
			done <- r
		}()
		var r *result
		select {
		case r = <-done:
		case <-time.After(time.Minute):
			t.Fatalf("%q hangs", args)
		}
		lines := strings.Count(r.stderr.String(), "\n")
		fail := func(why string) {
			t.Errorf("%q: %s: status %d, stderr %q, stdout %.500q", args, why, r.status, &r.stderr, &r.stdout)
		}
		name := ""
		if len(args) > 0 {
			name = args[0]
		}
		switch r.status {
		case 0:
			if lines > 0 {
				fail("success with an error")
			}
		case 1:
			if lines == 0 && name != "set" {
				fail("no error said")
			}
		case 2:
			known := slices.ContainsFunc(verbs(), func(v *verb) bool { return v.name == name })
			if r.stdout.Len() > 0 || known && lines != 1 {
				fail("not a line about the arguments")
			}
		case 3:
			if name != "ls" || !slices.ContainsFunc(args, func(s string) bool { return strings.Contains(s, "-check") }) {
				fail("nothing was checked")
			}
		default:
			fail("no such status")
		}
		if !isJSON(args) || r.stdout.Len() == 0 || strings.HasPrefix(r.stdout.String(), "usage: ") {
			return
		}
		d := json.NewDecoder(&r.stdout)
		var v map[string]any
		if err := d.Decode(&v); err != nil {
			fail(err.Error())
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			fail("more than an object")
		}
	})
}

// isJSON reports whether args ask for JSON. As the command's own parser has it, not
// every -json is a flag.
func isJSON(args []string) bool {
	if len(args) == 0 || !slices.Contains([]string{"defaults", "ls", "plan"}, args[0]) {
		return false
	}
	var flags flag.FlagSet
	flags.SetOutput(io.Discard)
	asJSON := flags.Bool("json", false, "")
	var sel selection
	if args[0] == "ls" {
		sel.flags(&flags)
		flags.Bool("listen", false, "")
		flags.Bool("force", false, "")
		flags.Bool("check", false, "")
		flags.String("by", "", "")
	}
	for rest := args[1:]; len(rest) > 0; rest = flags.Args()[min(1, flags.NArg()):] {
		if flags.Parse(rest) != nil || flags.NArg() == 0 {
			break
		}
	}
	return *asJSON
}

// randomArguments are of r: words that mean something, in any order, and some that
// do not.
func randomArguments(r *rand.Rand, dir string) []string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	self := strconv.Itoa(os.Getpid())
	verb := pick("ls", "ls", "ls", "set", "set", "set", "defaults", "plan", "metrics", "completion", "help", "nonsense", "")
	args := []string{verb}
	if verb == "set" {
		args = append(args, "-dry-run") // First, so that it is no flag's value.
	}
	duration := func() string {
		return pick("0", "1s", "3s", "30s", "1m30s", "2h", "600h", "-1s", "1ns", "soon", "1e9s", "9223372036s", "", "30")
	}
	address := func() string {
		return pick("127.0.0.1", "::1", "10.0.0.0/8", ":80", "10.0.0.0/8:80", "[fe80::/10]:1", "fe80::1%lo", "[::1]:5432", "::/0", "0.0.0.0/0", ":0", "x", "", "[", "%", "1.2.3.4:99999", "fe80::1%", "::ffff:1.2.3.4/96")
	}
	value := func(name string) string {
		switch name {
		case "-pid":
			return pick(self, self, self, "1", "4194304", "0", "-1", "x", "99999999999999999999", "")
		case "-name":
			return pick("tcpopt.test", "nobodyhasthis", "", "a\xff", "averylongnameofacommand", "\u202e", "-json")
		case "-local", "-remote":
			return address()
		case "-state":
			return pick(append(census.States(), "ESTAB", "listening", "x", "")...)
		case "-by":
			return pick("command", "remote", "x", "")
		case "-fd", "-count":
			return pick("0", "3", "7", "127", "128", "-1", "2147483648", "x", "")
		case "-force":
			return pick("silent", "unacked,window", "cgroup", "x", "", ",")
		}
		return duration()
	}
	for range r.IntN(7) {
		switch r.IntN(12) {
		case 0:
			args = append(args, pick("more", "-", "--", "-h", "-nonsense", "-=", "---", "-json=x", "-json=false", "30s", "\x00", strings.Repeat("a", 1<<16)))
		case 1, 2, 3:
			args = append(args, pick("-json", "-check", "-listen", "-suspect", "-without-keepalive", "-off", "-on", "-all", "-yes", "-dry-run", "-no-user-timeout", "--json", "-dry-run=false"))
		default:
			name := pick("-pid", "-pid", "-pid", "-name", "-local", "-remote", "-state", "-slower", "-by", "-fd", "-within", "-idle", "-interval", "-count", "-user-timeout", "-every", "-force")
			if r.IntN(4) == 0 {
				args = append(args, name+"="+value(name))
			} else {
				args = append(args, name, value(name))
			}
		}
	}
	switch {
	case verb == "metrics" && r.IntN(2) == 0:
		args = append(args, "-o", filepath.Join(dir, pick("x.prom", "none/x.prom", "")))
	case verb == "plan" && r.IntN(2) == 0:
		args = append(args, duration())
	case verb == "":
		args = args[1:]
		if len(args) > 0 && slices.Contains([]string{"ls", "set", "metrics", "demo"}, args[0]) {
			panic(fmt.Sprintf("%q is a verb", args[0]))
		}
	}
	return args
}
