package interop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// A client connects, has an answer, and returns a call that needs another.
type client func(t *testing.T, server string, d *dialer) (call func() error)

// TestVerdict has clients of real servers whose cable is cut, and asks whether
// IsDeadPeer knows the error that their user gets: over the connection of the
// example, and without it.
func TestVerdict(t *testing.T) {
	t.Parallel()
	type row struct {
		name    string
		connect client
		lost    error // without the example's connection, if it is lost each time
		dropped bool  // over it too, but it has the verdict
	}
	for name, server := range map[string]struct {
		start func(testing.TB, *netlab.Host)
		rows  []row
	}{
		"PostgreSQL": {labtest.StartPostgres, []row{
			{"pgx Exec", pgxExec(), io.ErrUnexpectedEOF, false},
			{"pgx Exec with arguments", pgxExec(7), nil, false},
			{"pgx WaitForNotification", pgxWaitForNotification, nil, false},
		}},
		"Redis":   {labtest.StartRedis, []row{{"go-redis Ping", redisPing, io.EOF, false}}},
		"MariaDB": {labtest.StartMariaDB, []row{{"go-sql-driver/mysql Exec", mysqlExec, mysql.ErrInvalidConn, true}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := labtest.NewLab(t)
			server.start(t, l.Far)
			for _, tt := range server.rows {
				for _, keep := range []bool{false, true} {
					d := &dialer{from: l.Near, keep: keep}
					call := tt.connect(t, l.Far.IPv4.String(), d)
					t.Run(fmt.Sprintf("%s, kept %v", tt.name, keep), func(t *testing.T) {
						t.Parallel() // After the last has connected.
						if err := l.Cable.Cut(); err != nil {
							t.Fatal(err)
						}
						start := time.Now()
						err := call()
						if took := time.Since(start); took < due-due/10 || took > 2*due {
							t.Errorf("after %v: %v, want after %v", took, err, due)
						}
						want := keep && !tt.dropped
						if is := tcpopt.IsDeadPeer(err); is != want && (keep || tt.lost != nil) {
							t.Errorf("IsDeadPeer(%v) = %v, want %v", err, is, want)
						}
						if lost := tt.lost; lost != nil && !want && !errors.Is(err, lost) {
							t.Errorf("ended with %v, want %v", err, lost)
						}
						if c, ok := d.first().(*verdictConn); ok && !tcpopt.IsDeadPeer(c.Verdict()) {
							t.Errorf("Verdict() = %v, want a dead peer", c.Verdict())
						}
					})
				}
			}
		})
	}
}

func pgxConnect(t *testing.T, server string, d *dialer) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig("user=postgres dbname=postgres sslmode=disable host=" + server)
	if err != nil {
		t.Fatal(err)
	}
	config.DialFunc = d.DialContext
	conn, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close(context.Background())
		<-conn.PgConn().CleanupDone() // It dials to cancel what it does not wait for.
		d.stopped(t)
	})
	return conn
}

func pgxExec(args ...any) client {
	return func(t *testing.T, server string, d *dialer) func() error {
		conn := pgxConnect(t, server, d)
		query := "select 1"
		if len(args) > 0 {
			query = "select $1::int"
		}
		return answered(t, func() error { _, err := conn.Exec(context.Background(), query, args...); return err })
	}
}

func pgxWaitForNotification(t *testing.T, server string, d *dialer) func() error {
	conn := pgxConnect(t, server, d)
	if _, err := conn.Exec(context.Background(), "listen news"); err != nil {
		t.Fatal(err)
	}
	return func() error { _, err := conn.WaitForNotification(context.Background()); return err }
}

func redisPing(t *testing.T, server string, d *dialer) func() error {
	c := redis.NewClient(&redis.Options{
		Addr: server + ":6379", Dialer: d.DialContext,
		MaxRetries:  -1, // Whose error would be of dialing.
		ReadTimeout: -1,
	})
	t.Cleanup(func() {
		c.Close()
		d.stopped(t)
	})
	return answered(t, func() error { return c.Ping(context.Background()).Err() })
}

func mysqlExec(t *testing.T, server string, d *dialer) func() error {
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr = "root", "tcp", server+":3306"
	config.DialFunc = d.DialContext
	config.Logger = &mysql.NopLogger{} // It would be told the text of the verdict.
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() {
		db.Close()
		d.stopped(t)
	})
	return answered(t, func() error { _, err := db.Exec("select 1"); return err })
}

// answered calls a call that must succeed while the cable is whole.
func answered(t *testing.T, call func() error) func() error {
	t.Helper()
	if err := call(); err != nil {
		t.Fatal(err)
	}
	return call
}
