package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/examples/internal/e2e"
	"github.com/tcpopt/tcpopt/examples/verdict"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

func TestMain(m *testing.M) { e2e.Main(m, main) }

// due is the time within which the connections notice a dead peer.
const due = 3 * time.Second

// Where the verdict is kept, in the words of README.md.
const (
	byUser = "yes"                  // in the error that the user gets
	byConn = "with `verdict.Keep`"  // in that error, with the connection of package verdict
	aside  = "only by `verdict.Of`" // in that connection only
)

// TestClients cuts the cable between clients and real servers. It checks what becomes
// of the kernel's verdict, with the connection of package verdict and without.
func TestClients(t *testing.T) {
	t.Parallel()
	type row struct {
		name    string
		connect client
		where   string
		kept    string
		lost    error         // the error where the verdict is lost, if known
		took    time.Duration // 0: due
	}
	const postgres = "postgres://postgres@%s/postgres?sslmode=disable"
	for name, s := range map[string]struct {
		start func(*testing.T, *netlab.Host) string
		rows  []row
	}{
		"PostgreSQL": {at(5432, labtest.StartPostgres), []row{
			{"pgx Exec", pgxClient(postgres, pgxExec), "`pgx.ConnConfig.DialFunc`", byConn, io.ErrUnexpectedEOF, 0},
			{"pgx Exec with arguments", pgxClient(postgres, func(ctx context.Context, c *pgx.Conn) error {
				_, err := c.Exec(ctx, "select $1::int", 7)
				return err
			}), "the same", byUser, nil, 0},
			{"pgx WaitForNotification", pgxClient(postgres, waitForNotification), "the same", byUser, nil, 0},
		}},
		"Redis":   {at(6379, labtest.StartRedis), []row{{"go-redis Ping", redisClient, "`redis.Options.Dialer`", byConn, io.EOF, 0}}},
		"MariaDB": {at(3306, labtest.StartMariaDB), []row{{"go-sql-driver/mysql Exec", mysqlClient("root@tcp(%s)/"), "`mysql.Config.DialFunc`", aside, mysql.ErrInvalidConn, 0}}},
		"HTTP": {startHTTP(nil, "HTTP/1.1"), []row{
			{"net/http POST", httpClient("POST", "http://", nil), "`http.Transport.DialContext`", byUser, nil, 0},
			{"net/http GET", httpClient("GET", "http://", nil), "the same; it dials again", aside, syscall.ETIMEDOUT, 2 * due},
		}},
		"HTTPS": {startHTTP(labtest.ServerTLS(), "HTTP/2.0"), []row{
			{"net/http POST, TLS and HTTP/2", httpClient("POST", "https://", labtest.ClientTLS()), "the same, and `ForceAttemptHTTP2`", byUser, nil, 0}}},
		"gRPC":  {startGRPC, []row{{"grpc-go unary call", grpcClient, "`grpc.WithContextDialer`", aside, nil, 0}}},
		"Kafka": {startKafka, []row{{"franz-go HookBrokerRead", kafkaClient, "`kgo.Dialer`", byUser, nil, 0}}},
		"NATS":  {startNATS, []row{{"nats.go DisconnectErrHandler", natsClient, "`nats.SetCustomDialer`", byUser, nil, 0}}},
		"SSH":   {startSSH, []row{{"x/crypto/ssh Wait", sshClient("nobody"), "`ssh.NewClientConn`", byUser, nil, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := labtest.NewLab(t)
			address := s.start(t, l.Far)
			for _, tt := range s.rows {
				for _, keep := range []bool{false, true} {
					d := &countingDialer{from: l.Near, keep: keep}
					call, end, err := tt.connect(address, d.DialContext)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { end(); d.stopped(t) })
					if err := call(); err != nil {
						t.Fatal(err)
					}
					t.Run(fmt.Sprintf("%s, kept %v", tt.name, keep), func(t *testing.T) {
						t.Parallel() // Resumes after the last has connected.
						labtest.Need(t, l.Cable.Cut())
						start := time.Now()
						err := call()
						took, wanted := time.Since(start), cmp.Or(tt.took, due)
						// The last segment may be older than the cut.
						if took < wanted/2 || took > 2*wanted {
							t.Errorf("after %v: %v, want after %v", took, err, wanted)
						}
						want := tt.kept == byUser || keep && tt.kept == byConn
						if is := tcpopt.IsDeadPeer(err); is != want {
							t.Errorf("IsDeadPeer(%v) = %v, want %v", err, is, want)
						}
						if tt.lost != nil && !want && !errors.Is(err, tt.lost) {
							t.Errorf("ended with %v, want %v", err, tt.lost)
						}
						if !keep {
							figure(t, tt.name, tt.where, err, took, tt.kept)
						} else if v := d.verdict(); !tcpopt.IsDeadPeer(v) {
							t.Errorf("verdict.Of = %v, want a dead peer", v)
						}
					})
				}
			}
		})
	}
}

// waitForNotification subscribes the first time, and waits from then on.
func waitForNotification(ctx context.Context, c *pgx.Conn) error {
	data := c.PgConn().CustomData()
	if data["listens"] == nil {
		data["listens"] = true
		_, err := c.Exec(ctx, "listen news")
		return err
	}
	_, err := c.WaitForNotification(ctx)
	return err
}

var endpoints = regexp.MustCompile(`(tcp) [^ ]+(:)|"http[^ ]+ `)

// figure prints a row of README.md. It fails the test unless the row is there, perhaps
// with another time.
func figure(t *testing.T, name, where string, err error, took time.Duration, kept string) {
	t.Helper()
	e2e.Figure(t, name, took)
	said := endpoints.ReplaceAllString(err.Error(), "$1$2")
	if tcpopt.IsDeadPeer(err) {
		said = said[strings.LastIndex(said, ": ")+2:]
	}
	begin, end := fmt.Sprintf("| %s | %s | %s | ", name, where, said), fmt.Sprintf(" | %s |", kept)
	t.Logf("%s%.1f s%s", begin, took.Seconds(), end)
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(readme)) {
		if strings.HasPrefix(line, begin) && strings.HasSuffix(line, end+"\n") {
			return
		}
	}
	t.Error("README.md has no such row")
}

// A countingDialer dials from a host, and counts calls of Read and Write after the
// verdict.
type countingDialer struct {
	from *netlab.Host
	keep bool // by package verdict

	mu    sync.Mutex
	conns []net.Conn
	after int
}

func (d *countingDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	config, err := tcpopt.Within(due)
	if err != nil {
		return nil, err
	}
	c, err := e2e.Dial(d.from, &net.Dialer{KeepAlive: -1, Control: config.DialControl})(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c = &countedConn{TCPConn: c.(*net.TCPConn), dialer: d}
	if d.keep {
		c = verdict.Keep(c)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns = append(d.conns, c)
	return c, nil
}

// verdict returns the verdict that a connection has kept, if any.
func (d *countingDialer) verdict() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.conns {
		if err := verdict.Of(c); err != nil {
			return err
		}
	}
	return nil
}

// stopped fails the test if reading and writing went on and on.
func (d *countingDialer) stopped(t *testing.T) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	t.Logf("%d connections, %d calls of Read and Write after the verdict", len(d.conns), d.after)
	if d.after > 5 {
		t.Errorf("%d calls of Read and Write after the verdict, want at most 5", d.after)
	}
}

// A countedConn has every method of a *net.TCPConn, for libraries that look for them.
type countedConn struct {
	*net.TCPConn
	dialer *countingDialer
	dead   bool
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.count(err)
	return n, err
}

func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	c.count(err)
	return n, err
}

func (c *countedConn) count(err error) {
	c.dialer.mu.Lock()
	defer c.dialer.mu.Unlock()
	if c.dead {
		c.dialer.after++
	}
	c.dead = c.dead || tcpopt.IsDeadPeer(err)
}
