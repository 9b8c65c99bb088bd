package labtest

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt/internal/netlab"
)

// FindProgram returns the path of an installed program. If there is none, it skips the
// test, or fails it if the environment has TCPOPT_PROGRAMS=required.
func FindProgram(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/lib/postgresql/*/bin"} {
		found, err := filepath.Glob(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			if path, err := exec.LookPath(path); err == nil {
				return path
			}
		}
	}
	if os.Getenv("TCPOPT_PROGRAMS") == "required" {
		t.Fatalf("no program %s here", name)
	}
	t.Skipf("no program %s here", name)
	panic("not reached")
}

// Launch starts a server on h and returns its process. If ready is not empty, it waits
// until a line of the output contains it. The signal sig ends the server with the test.
func Launch(t testing.TB, h *netlab.Host, sig syscall.Signal, ready string, cmd *exec.Cmd) (pid string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	err = h.Start(cmd)
	w.Close()
	Need(t, err)
	var said bytes.Buffer // Read by others once done is closed.
	isReady, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		waiting := ready != ""
		for lines := bufio.NewScanner(r); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if waiting && strings.Contains(lines.Text(), ready) {
				waiting = false
				close(isReady)
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(sig)
		kill := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		kill.Stop()
		<-done // Its children have closed their standard error, too.
		r.Close()
		if t.Failed() {
			t.Logf("%s said\n%s", cmd.Path, &said)
		}
	})
	if ready != "" {
		select {
		case <-isReady:
		case <-done:
			t.Fatalf("%s ended", cmd.Path)
		case <-time.After(30 * time.Second):
			t.Fatalf("%s is not ready after 30s", cmd.Path)
		}
	}
	return strconv.Itoa(cmd.Process.Pid)
}

// StartPostgres starts a PostgreSQL server on h, at port 5432 of all its addresses. The
// user postgres needs no password.
func StartPostgres(t testing.TB, h *netlab.Host) { NewPostgres(t).Start(t, h) }

// A Postgres has the files of a PostgreSQL server, which outlive its host.
type Postgres struct {
	dir, programs string
	attr          func() *syscall.SysProcAttr
}

// NewPostgres makes the files.
func NewPostgres(t testing.TB) *Postgres {
	t.Helper()
	initdb, err := filepath.EvalSymlinks(FindProgram(t, "initdb"))
	if err != nil {
		t.Fatal(err)
	}
	dir, attr := Unprivileged(t)
	p := &Postgres{dir, filepath.Dir(initdb), attr}
	init := exec.Command(initdb, "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	init.Dir, init.SysProcAttr = dir, attr()
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	const access = "host all all all trust\n"
	if err := os.WriteFile(filepath.Join(p.data(), "pg_hba.conf"), []byte(access), 0o644); err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(ServerTLS().Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{
		"server.crt": {Type: "CERTIFICATE", Bytes: ServerTLS().Certificates[0].Certificate[0]},
		"server.key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		path := filepath.Join(p.data(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if a := attr(); a != nil {
			if err := os.Chown(path, int(a.Credential.Uid), int(a.Credential.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return p
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

// Configure adds lines to postgresql.conf.
func (p *Postgres) Configure(t testing.TB, lines string) {
	t.Helper()
	appendTo(t, filepath.Join(p.data(), "postgresql.conf"), lines)
}

// Start starts the server like StartPostgres, with further settings, such as ssl=on,
// for which it has a certificate. Kill ends all its processes at once and returns when
// they are gone, even after h.Close. Then the server can start again on another host.
func (p *Postgres) Start(t testing.TB, h *netlab.Host, settings ...string) (kill func()) {
	t.Helper()
	cmd := exec.Command(filepath.Join(p.programs, "postgres"), "-D", p.data(), "-c", "listen_addresses=*", "-c", "port=5432",
		"-c", "unix_socket_directories=", "-c", "dynamic_shared_memory_type=mmap", "-c", "fsync=off")
	for _, s := range settings {
		cmd.Args = append(cmd.Args, "-c", s)
	}
	cmd.Dir, cmd.SysProcAttr = p.dir, p.attr()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWPID // All processes end with the first.
	Launch(t, h, syscall.SIGINT, "ready to accept connections", cmd)
	return func() {
		t.Helper()
		cmd.Process.Kill()
		err := error(unix.EINTR)
		for err == unix.EINTR {
			err = unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) // Launch reaps it.
		}
		if err != nil {
			t.Fatal(os.NewSyscallError("waitid", err))
		}
	}
}

// StartRedis starts a Redis server on h, at port 6379.
func StartRedis(t testing.TB, h *netlab.Host) { StartRedisWith(t, h, "") }

// StartRedisWith is StartRedis with a configuration, and returns the process.
func StartRedisWith(t testing.TB, h *netlab.Host, conf string) (pid string) {
	t.Helper()
	cmd := exec.Command(FindProgram(t, "redis-server"), "-", "--bind", h.IPv4.String(), "--protected-mode", "no", "--save", "")
	cmd.Dir, cmd.Stdin = t.TempDir(), strings.NewReader(conf)
	return Launch(t, h, syscall.SIGTERM, "Ready to accept connections", cmd)
}

// StartMariaDB starts a MariaDB server on h, at port 3306. Everybody is root there.
func StartMariaDB(t testing.TB, h *netlab.Host) { StartMariaDBWith(t, h, "") }

// StartMariaDBWith is StartMariaDB with an option file, and returns the process.
func StartMariaDBWith(t testing.TB, h *netlab.Host, options string) (pid string) {
	t.Helper()
	server := FindProgram(t, "mariadbd")
	dir, attr := Unprivileged(t)
	file := filepath.Join(dir, "options.cnf")
	appendTo(t, file, options)
	cmd := exec.Command(server, "--defaults-file="+file, "--datadir="+dir, "--skip-grant-tables", "--bind-address="+h.IPv4.String(),
		"--port=3306", "--socket="+filepath.Join(dir, "socket"), "--innodb-use-native-aio=0", "--innodb-buffer-pool-size=8M")
	cmd.Dir, cmd.SysProcAttr = dir, attr()
	return Launch(t, h, syscall.SIGTERM, "ready for connections", cmd)
}

// appendTo adds text to a file that need not exist.
func appendTo(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// OpenDir returns a directory that every user may enter, unlike t.TempDir.
func OpenDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tcpopt-")
	Need(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	Need(t, os.Chmod(dir, 0o755))
	return dir
}

// Unprivileged returns a directory, and the attributes that run a program as its owner,
// for programs that refuse root.
func Unprivileged(t testing.TB) (dir string, attr func() *syscall.SysProcAttr) {
	t.Helper()
	dir = OpenDir(t)
	if os.Getuid() != 0 {
		return dir, func() *syscall.SysProcAttr { return nil }
	}
	const nobody = 65534
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	return dir, func() *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}
