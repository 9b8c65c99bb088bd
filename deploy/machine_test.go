package deploy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// The test binary also runs as these programs.
var (
	initProgram    = labtest.NewProgram("init", initialize)
	billingProgram = labtest.NewProgram("billing", serve)
)

// initialize is the first process of a machine. It sees and reaps the others, which end
// with it.
func initialize() int {
	if err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("proc", "/proc", "proc", 0, "")); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready")
	go func() {
		for {
			if _, err := unix.Wait4(-1, nil, 0, nil); err != nil {
				time.Sleep(100 * time.Millisecond)
			}
		}
	}()
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// serve is a service with a connection that has Go's defaults. It opens another without
// keepalive, at the start or for each line that it reads.
func serve() int {
	var flags flag.FlagSet
	to := flags.String("to", "", "address")
	open := flags.Bool("open", false, "open both now")
	flags.Parse(os.Args[1:])
	dial := func(d net.Dialer) net.Conn {
		c, err := d.Dial("tcp", *to)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return c
	}
	keep := []net.Conn{dial(net.Dialer{})}
	in := bufio.NewScanner(os.Stdin)
	for *open || in.Scan() {
		keep = append(keep, dial(net.Dialer{KeepAlive: -1}))
		if *open {
			break
		}
	}
	if *open {
		select {}
	}
	return len(keep) * 0
}

// billing copies the test binary to a program of that name.
func billing(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	labtest.Need(t, err)
	path := filepath.Join(labtest.OpenDir(t), "billing")
	labtest.Need(t, exec.Command("cp", exe, path).Run()) // Every user may run it.
	labtest.Need(t, os.Chmod(path, 0o755))
	return path
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this needs root")
	}
}

// A machine is a host with processes of its own.
type machine struct {
	*netlab.Host
	t    testing.TB
	init *labtest.Process
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	m := &machine{Host: labtest.NewHost(t), t: t}
	cmd := initProgram.Command()
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC}
	m.init = labtest.Start(t, cmd, m.Host.Start)
	if line := m.init.Line(t); line != "ready" {
		t.Fatalf("the first process: %s", line)
	}
	return m
}

// command returns a command that runs on the machine.
func (m *machine) command(args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{"--target", m.init.PID(), "--mount", "--net", "--ipc", "--pid", "--"}, args...)...)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	return cmd
}

// start starts a program, which ends with the machine, and returns its input. If the
// test fails, it logs what the program printed.
func (m *machine) start(name string, args ...string) (in io.Writer) {
	m.t.Helper()
	cmd := m.command(args...)
	in, err := cmd.StdinPipe()
	labtest.Need(m.t, err)
	log, err := os.Create(filepath.Join(m.t.TempDir(), name))
	labtest.Need(m.t, err)
	cmd.Stdout, cmd.Stderr = log, log
	labtest.Need(m.t, cmd.Start())
	m.t.Cleanup(func() {
		m.init.In.Close() // Ends all of the machine.
		cmd.Wait()
		log.Close()
		if m.t.Failed() {
			text, _ := os.ReadFile(log.Name())
			m.t.Logf("%s said\n%s", name, bytes.TrimSpace(text))
		}
	})
	return in
}

// output runs a command on the machine, which must succeed.
func (m *machine) output(args ...string) string {
	m.t.Helper()
	return output(m.t, m.command(args...))
}

// dial dials from within the machine.
func (m *machine) dial(address string) (c net.Conn, err error) {
	err = m.Do(func() (err error) {
		c, err = (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", address)
		return err
	})
	return c, err
}

// await waits until there is a server at the address.
func (m *machine) await(address string) {
	m.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := m.dial(address)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatal(err)
		}
	}
}

// postgres starts a PostgreSQL server.
func (m *machine) postgres() (address string) {
	m.t.Helper()
	initdb, err := filepath.EvalSymlinks(labtest.FindProgram(m.t, "initdb"))
	labtest.Need(m.t, err)
	dir, err := os.MkdirTemp("", "deploy-postgres-")
	labtest.Need(m.t, err)
	m.t.Cleanup(func() { os.RemoveAll(dir) })
	const user = 65534
	labtest.Need(m.t, os.Chown(dir, user, user))
	as := []string{"setpriv", "--reuid=" + strconv.Itoa(user), "--regid=" + strconv.Itoa(user), "--clear-groups", "--"}
	data := filepath.Join(dir, "data")
	run := func(args ...string) *exec.Cmd {
		cmd := m.command(append(as, args...)...)
		cmd.Dir = dir
		return cmd
	}
	if out, err := run(initdb, "-D", data, "-U", "postgres", "-A", "trust", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		m.t.Fatalf("initdb: %v\n%s", err, out)
	}
	write(m.t, filepath.Join(data, "pg_hba.conf"), "host all all all trust\n")
	m.start("postgres", append(as, filepath.Join(filepath.Dir(initdb), "postgres"), "-D", data, "-c", "listen_addresses=*",
		"-c", "unix_socket_directories=", "-c", "dynamic_shared_memory_type=mmap", "-c", "fsync=off")...)
	address = m.IPv4.String() + ":5432"
	m.await(address)
	return address
}
