package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// Each text that plan prints for a language is part of a program here, which
// connects to itself at port 7001, has the sockets that it says it has set, and
// waits for the end of its input.

func TestPlanPython(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	h := labtest.NewHost(t)
	text, _ := planText(t, "python", "keepalive.py")
	r := start(t, exec.Command(findProgram(t, "python3"), "-c", text+`
import sys
server = socket.create_server(("127.0.0.1", 7001))
client = socket.socket()
set_keepalive(client)
client.connect(("127.0.0.1", 7001))
accepted, _ = server.accept()
set_keepalive(accepted)
print("ready", flush=True)
sys.stdin.read()
`), h.Start)
	r.Line(t)
	wantKept(t, r.PID(), of42s, "-local :7001", "-remote :7001")
}

func TestPlanNode(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	h := labtest.NewHost(t)
	text, _ := planText(t, "node", "keepalive.js")
	r := start(t, exec.Command(findProgram(t, "node"), "-e", text+`
createServer(() => console.log('ready')).listen(7001, '127.0.0.1', () => connect(7001, '127.0.0.1'));
process.stdin.on('end', () => process.exit()).resume();
`), h.Start)
	r.Line(t)
	wantKept(t, r.PID(), kept{32, 1, 10, 0}, "-local :7001", "-remote :7001")
}

func TestPlanJava(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	h := labtest.NewHost(t)
	text, path := planText(t, "java", "Main.java")
	imports, class, _ := strings.Cut(text, "\n\n")
	write(t, path, imports+`

final class Main {
    public static void main(String[] args) throws Exception {
        var server = new java.net.ServerSocket(7001, 1, java.net.InetAddress.getLoopbackAddress());
        var client = new Socket(server.getInetAddress(), 7001);
        var accepted = server.accept();
        KeepAlive.set(client);
        KeepAlive.set(accepted);
        System.out.println("ready");
        System.in.readAllBytes();
    }
}

`+class)
	r := start(t, exec.Command(findProgram(t, "java"), "-Xshare:auto", "-XX:TieredStopAtLevel=1", path), h.Start)
	r.Line(t)
	wantKept(t, r.PID(), withoutTimeout, "-local :7001", "-remote :7001")
}

// TestPlanRust takes the crates that Debian has.
func TestPlanRust(t *testing.T) {
	needsTaking(t)
	if os.Geteuid() != 0 {
		t.Skip("only root compiles this, by the cargo that it has")
	}
	t.Parallel()
	cargo := findProgram(t, "cargo")
	const crates = "/usr/share/cargo/registry"
	if _, err := os.Stat(crates + "/socket2-0.4.4"); err != nil {
		if os.Getenv("TCPOPT_PROGRAMS") == "required" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	h := labtest.NewHost(t)
	text, path := planText(t, "rust", "main.rs")
	dir := filepath.Dir(path)
	write(t, path, text+`
fn main() -> std::io::Result<()> {
    let server = std::net::TcpListener::bind("127.0.0.1:7001")?;
    let client = TcpStream::connect("127.0.0.1:7001")?;
    let (accepted, _) = server.accept()?;
    set_keepalive(&client)?;
    set_keepalive(&accepted)?;
    println!("ready");
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}
`)
	write(t, filepath.Join(dir, "Cargo.toml"), `
[package]
name = "keepalive"
version = "0.0.0"
edition = "2018"

[[bin]]
name = "keepalive"
path = "main.rs"

[dependencies]
socket2 = { version = "0.4", features = ["all"] }
`)
	build := exec.Command(cargo, "build", "--quiet", "--offline", "--config", `source.crates-io.replace-with="debian"`, "--config", `source.debian.directory="`+crates+`"`)
	build.Dir = dir
	build.Env = append(os.Environ(), "CARGO_HOME="+filepath.Join(dir, "home"))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cargo: %v\n%s", err, out)
	}
	r := start(t, exec.Command(filepath.Join(dir, "target/debug/keepalive")), h.Start)
	r.Line(t)
	wantKept(t, r.PID(), of42s, "-local :7001", "-remote :7001")
}

func TestPlanPostgres(t *testing.T) {
	needsTaking(t)
	needsPrograms(t)
	t.Parallel()
	h := labtest.NewHost(t)
	text, _ := planText(t, "postgresql", "postgresql.conf")
	server := labtest.NewPostgres(t)
	server.Configure(t, text)
	server.Start(t, h)
	r := start(t, exec.Command(findProgram(t, "psql"), "-X", "-A", "-t", "-c", "select inet_client_port()", "-f", "-",
		fmt.Sprintf("host=%v user=postgres dbname=postgres", h.IPv4)), h.Start)
	wantListed(t, of42s, fmt.Sprintf("-name postgres -local %v:5432 -remote :%s", h.IPv4, r.Line(t)))
}

func TestPlanPgBouncer(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	pgbouncer := findProgram(t, "pgbouncer")
	h := labtest.NewHost(t)
	labtest.StartPostgres(t, h)
	text, _ := planText(t, "pgbouncer", "pgbouncer.ini")
	dir, attr := labtest.Unprivileged(t)
	users, file := filepath.Join(dir, "users"), filepath.Join(dir, "pgbouncer.ini")
	write(t, users, `"postgres" ""`+"\n")
	write(t, file, fmt.Sprintf("[databases]\npostgres = host=%v\n%slisten_addr = %[1]v\nlisten_port = 6432\nunix_socket_dir =\nauth_type = trust\nauth_file = %[3]s\n",
		h.IPv4, text, users))
	cmd := exec.Command(pgbouncer, file)
	cmd.Dir, cmd.SysProcAttr = dir, attr()
	pid := labtest.Launch(t, h, syscall.SIGINT, "process up", cmd)
	client(t, h, "select 6 * 7;", "42", "psql", "-X", "-A", "-t", fmt.Sprintf("host=%v port=6432 user=postgres dbname=postgres", h.IPv4))
	wantKept(t, pid, of42s, "-local :6432", "-remote :5432")
}

// TestPlanRedis has both ends of a replica's connection too.
func TestPlanRedis(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	a, b := labtest.NewHost(t), labtest.NewHost(t)
	labtest.NewCable(t, a, b)
	text, _ := planText(t, "redis", "redis.conf")
	server := labtest.StartRedisWith(t, a, text)
	replica := labtest.StartRedisWith(t, b, text+fmt.Sprintf("replicaof %v 6379\n", a.IPv4))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out := output(t, b, "redis-cli", "-h", b.IPv4.String(), "info", "replication")
		if strings.Contains(out, "master_link_status:up") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no replica: %s", out)
		}
	}
	wantKept(t, server, withoutTimeout, fmt.Sprintf("-remote %v", b.IPv4))
	wantKept(t, replica, withoutTimeout, "-remote :6379")
	client(t, a, "ping", "PONG", "redis-cli", "-h", a.IPv4.String())
	wantKept(t, server, withoutTimeout, fmt.Sprintf("-remote %v", a.IPv4))
}

func TestPlanMariaDB(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	h := labtest.NewHost(t)
	text, _ := planText(t, "mariadb", "options.cnf")
	pid := labtest.StartMariaDBWith(t, h, text)
	r := start(t, exec.Command(findProgram(t, "mariadb"), "--no-defaults", "-n", "-N", "-h", h.IPv4.String()), h.Start)
	r.Ask(t, "select 6 * 7;")
	if line := r.Line(t); line != "42" {
		t.Fatalf("mariadb said %q", line)
	}
	wantKept(t, pid, withoutTimeout, "-local :3306")
	wantKept(t, r.PID(), kept{7200, 75, 9, 0}, "-remote :3306") // As the text says of clients.
}

func TestPlanCurl(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	h := labtest.NewHost(t)
	accept := acceptIn(t, h, "127.0.0.1:8080")
	text, file := planText(t, "curl", "curlrc")
	r := start(t, exec.Command(findProgram(t, "curl"), "-s", "-K", file, "http://127.0.0.1:8080/"), h.Start)
	accept()
	wantKept(t, r.PID(), kept{4, 4, 9, 0}, "-remote :8080")
	// The other half of the text is for a newer curl than Debian 12 has.
	if strings.Contains(output(t, h, "curl", "--help", "all"), "--keepalive-cnt") {
		write(t, file, strings.ReplaceAll(strings.Replace(text, "\nkeepalive-time", "\n#", 1), "\n#keepalive", "\nkeepalive"))
		r := start(t, exec.Command(findProgram(t, "curl"), "-s", "-K", file, "http://127.0.0.1:8080/"), h.Start)
		accept()
		wantKept(t, r.PID(), kept{10, 10, 3, 0}, "-remote :8080")
	}
}

// TestPlanSSH measures when each end gives up, since what it sets is above TCP.
func TestPlanSSH(t *testing.T) {
	needsTaking(t)
	if os.Geteuid() != 0 {
		t.Skip("only root starts sshd")
	}
	t.Parallel()
	sshd, ssh := findProgram(t, "sshd"), findProgram(t, "ssh")
	a, b := labtest.NewHost(t), labtest.NewHost(t)
	cable := labtest.NewCable(t, a, b)
	labtest.Need(t, os.MkdirAll("/run/sshd", 0o755)) // It starts only where that is.
	dir := t.TempDir()
	for _, key := range []string{"host", "user"} {
		output(t, a, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key))
	}
	command := func(target string) string {
		status, text, stderr := command("plan", "8s", target)
		if status != 0 {
			t.Fatal(stderr)
		}
		return text
	}
	server := func(port, text string) *exec.Cmd {
		file := filepath.Join(dir, port)
		write(t, file, fmt.Sprintf("ListenAddress %v:%s\nHostKey %s/host\nAuthorizedKeysFile %[3]s/user.pub\nPermitRootLogin yes\nStrictModes no\nUsePAM no\nPidFile none\n%s",
			b.IPv4, port, dir, text))
		return exec.Command(sshd, "-D", "-e", "-f", file)
	}
	client := func(port, text string) *labtest.Process {
		file := filepath.Join(dir, "client"+port)
		write(t, file, text)
		cmd := exec.Command(ssh, "-F", file, "-p", port, "-i", filepath.Join(dir, "user"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
			"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", fmt.Sprintf("root@%v", b.IPv4), "echo $PPID; exec cat")
		var said bytes.Buffer
		cmd.Stderr = &said
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("ssh: %s", &said)
			}
		})
		r := start(t, cmd, a.Start)
		session, err := strconv.Atoi(r.Line(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Kill(session, syscall.SIGKILL) }) // It would wait for ever behind the cut.
		return r
	}

	labtest.Launch(t, b, syscall.SIGTERM, "Server listening", server("2201", ""))
	asking := client("2201", command("ssh"))
	// The switch alone: the times are the system's.
	wantKept(t, asking.PID(), kept{7200, 75, 9, 0}, "-remote :2201")

	gone := make(chan time.Time, 1)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	asked := server("2202", command("sshd"))
	asked.Stdout, asked.Stderr = w, w
	labtest.Need(t, b.Start(asked))
	w.Close()
	t.Cleanup(func() { asked.Process.Signal(syscall.SIGTERM); asked.Wait(); r.Close() })
	listening := make(chan bool, 1)
	go func() {
		for all, buf := "", make([]byte, 4096); ; {
			n, err := r.Read(buf)
			all += string(buf[:n])
			if strings.Contains(all, "Server listening") {
				select {
				case listening <- true:
				default:
				}
			}
			if strings.Contains(all, "Timeout, client not responding") || err != nil {
				gone <- time.Now()
				return
			}
		}
	}()
	select {
	case <-listening:
	case <-time.After(20 * time.Second):
		t.Fatal("sshd does not listen after 20s")
	}
	client("2202", "")

	// An interval and more, so that both have been answered.
	time.Sleep(1500 * time.Millisecond)
	cut := time.Now()
	if err := cable.Cut(); err != nil {
		t.Fatal(err)
	}
	for who, end := range map[string]func() time.Time{
		"ssh":  func() time.Time { io.Copy(io.Discard, asking.Out); return time.Now() },
		"sshd": func() time.Time { return <-gone },
	} {
		ended := make(chan time.Time, 1)
		go func() { ended <- end() }()
		select {
		case at := <-ended:
			// The last answer came up to two intervals before.
			d := at.Sub(cut)
			t.Logf("%s within 8s gave up %v after the cut", who, d.Round(time.Millisecond))
			if d < 3900*time.Millisecond || d > 13*time.Second {
				t.Errorf("%s within 8s gave up %v after the cut", who, d)
			}
		case <-time.After(30 * time.Second):
			t.Errorf("%s within 8s did not give up in 30 s", who)
		}
	}
}

// TestPlanContainers sets what the texts say in a network namespace, which is what
// a container has of its own.
func TestPlanContainers(t *testing.T) {
	t.Parallel()
	sysctl := findProgram(t, "sysctl")
	for target, pattern := range map[string]string{
		"docker":     `(net[.\w]+): (\d+)\n`,
		"kubernetes": `name: (\S+)\n +value: "(\d+)"`,
	} {
		text, _ := planText(t, target, "text")
		set := sysctl + " -q -w"
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			set += " " + m[1] + "=" + m[2]
		}
		got, stderr := inHost(t, set+`; exec "$0" defaults -json`)
		if !strings.Contains(got, `"idle_seconds": 21`) || !strings.Contains(got, `"interval_seconds": 7`) || !strings.Contains(got, `"count": 3`) || stderr != "" {
			t.Errorf("%s: defaults are %s, stderr %q", target, got, stderr)
		}
	}
}

// TestPlanEnvoy sets the options by the numbers that are given to Envoy's
// listener; Envoy itself is not here.
func TestPlanEnvoy(t *testing.T) {
	needsPrograms(t) // The numbers of some processors, as mips, are others.
	text, _ := planText(t, "envoy", "envoy.yaml")
	l := listening(t, net.Listen)
	rc, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`level: (\d+), name: (\d+), int_value: (\d+)`).FindAllStringSubmatch(text, -1) {
		var n [3]int
		for i := range n {
			n[i], _ = strconv.Atoi(m[i+1])
		}
		rc.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), n[0], n[1], n[2]) })
		if err != nil {
			t.Errorf("%s: %v", m[0], err)
		}
	}
	want, err := tcpopt.Within(42 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tcpopt.FromListener(l)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Config(); got != want || err != nil {
		t.Errorf("Config is %+v, %v, want %+v", got, err, want)
	}
	for _, line := range []string{"keepalive_time: 21\n", "keepalive_interval: 7\n", "keepalive_probes: 3\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in %s", line, text)
		}
	}
}
