package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tcpopt/tcpopt/examples/internal/e2e"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

func TestMain(m *testing.M) { e2e.Main(m, main) }

// A dead server is noticed within due, or twice that on a slow machine.
const due = 3 * time.Second

const (
	byKernel  = "connection timed out (dead peer: true, heartbeat or idle timeout: false)"
	untouched = "within 2m30s when idle, and with data in flight when the system gives up" // package net's keepalive
	byMonitor = "(dead peer: false, heartbeat or idle timeout: true)"
)

// TestCut cuts the cable of sessions of all kinds. Without options they still wait
// after ten times as long as the others need to notice. The others go on in another
// session, and no event is lost or stored twice.
func TestCut(t *testing.T) {
	t.Parallel()
	far := labtest.NewHost(t)
	labtest.NewPostgres(t).Start(t, far, "ssl=on")
	for i, tt := range []struct{ row, args, lost string }{
		{"pgx waits", "listen", ""},
		{"pgx in a query", "-work 2s query", ""},
		{"pgx sends queries", "-work 10ms query", ""},
		{"pgx waits, -within 3s", "-within 3s listen", byKernel},
		{"pgx in a query, -within 3s", "-within 3s -work 2s query", byKernel},
		{"pgx in a simple query, -within 3s", "-within 3s -work 2s query", byKernel},
		{"pgx sends queries, -within 3s", "-within 3s -work 10ms query", byKernel},
		{"pgx waits, -heartbeat 1s -timeout 2s", "-heartbeat 1s -timeout 2s listen", byMonitor},
		{"pgx waits, -within 3s -heartbeat 1s -timeout 9s", "-within 3s -heartbeat 1s -timeout 9s listen", byKernel},
		{"pgx waits over TLS, -within 3s", "-within 3s listen", byKernel},
		{"pgx waits over TLS, -heartbeat 1s -timeout 2s", "-heartbeat 1s -timeout 2s listen", byMonitor},
		{"pgx waits, -idle 1s", "-idle 1s listen", byMonitor},
		{"pgx waits, -within 9s -heartbeat 1s -timeout 2s -idle 4s", "-within 9s -heartbeat 1s -timeout 2s -idle 4s listen", byMonitor},
		{"pgx in a query, -within 3s -heartbeat 1s -timeout 2s -idle 4s", "-within 3s -heartbeat 1s -timeout 2s -idle 4s -work 2s query", byKernel},
	} {
		t.Run(tt.row, func(t *testing.T) {
			t.Parallel()
			near := labtest.NewHost(t)
			cable := labtest.NewCable(t, near, far)
			db := database{far, fmt.Sprint("d", i)}
			server := database{far, "postgres"}
			server.ask(t, "create database "+db.name)
			hosts := far.IPv4.String()
			if strings.Contains(tt.row, "simple") {
				hosts += " default_query_exec_mode=simple_protocol" // With it pgx reads again, and gets EOF.
			}
			if strings.Contains(tt.row, "TLS") {
				hosts += " sslmode=require"
			}
			p, connected, listens := db.start(t, near, hosts, strings.Fields(tt.args)...)
			if asPgx := strings.HasSuffix(connected, untouched); asPgx == strings.Contains(tt.args, "-within") {
				t.Errorf("%s: %s", tt.args, connected)
			}
			if listens {
				db.store(t, 1)
			}
			events(t, p, 1)
			if strings.Contains(tt.args, "-work 2s") {
				p.Silent(t, time.Second, "event") // The next query is on its way.
			}
			if listens && strings.Contains(tt.args, "-heartbeat") {
				p.Silent(t, 2*due, "session 1") // No false alarm.
			}
			cut := change(t, cable.Cut)
			if tt.lost == "" {
				p.Silent(t, 10*due, "lost")
				e2e.Figure(t, tt.row, time.Since(cut))
				return
			}
			if tt.args == "-idle 1s listen" {
				p.Wait(t, due, "nothing sent or received for 1s")
				p.Wait(t, due, "nothing sent or received for 2s")
			}
			last, line, at := untilLost(t, p, 1)
			e2e.Figure(t, tt.row, at.Sub(cut))
			t.Log(line)
			if took := at.Sub(cut); took < due/2 || took > 3*due || !strings.Contains(line, tt.lost) {
				t.Errorf("after %v: %s, want %q after %v", took, line, tt.lost, due)
			}
			switch {
			case listens:
				db.store(t, last+1)
			case strings.Contains(tt.args, "-work 2s"):
				// The lost session still stores its event, unknown to its program.
				db.wait(t, "select count(*) from events where id = $1", last+1)
			}
			change(t, cable.Heal)
			p.Wait(t, 10*due, "connected")
			events(t, p, last+1)
			if listens {
				db.store(t, last+2)
			}
			events(t, p, last+2)
			if n := db.ask(t, "select count(*) from events where id <= $1", last+2)[0]; n != int64(last+2) {
				t.Errorf("the database has %d events of %d", n, last+2)
			}
		})
	}
}

// untilLost reads events until the first session is lost. They must be those after
// last, in order.
func untilLost(t *testing.T, p *e2e.Program, last int) (id int, line string, at time.Time) {
	t.Helper()
	for {
		line, at = p.Wait(t, 3*due, "")
		if strings.Contains(line, "session 1: lost") {
			return last, line, at
		}
		if strings.Contains(line, "event") {
			if last++; eventOf(t, line) != last {
				t.Fatalf("%s, want event %d", line, last)
			}
		}
	}
}

func eventOf(t *testing.T, line string) (id int) {
	t.Helper()
	_, text, _ := strings.Cut(line, "event")
	if _, err := fmt.Sscan(text, &id); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return id
}

// TestPowerLoss cuts the power of the server's host during queries, and starts the
// server again on the same files.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	near, others, far := labtest.NewHost(t), labtest.NewHost(t), labtest.NewHost(t)
	cables := []*netlab.Cable{labtest.NewCable(t, near, far), labtest.NewCable(t, others, far)}
	files := labtest.NewPostgres(t)
	kill := files.Start(t, far)
	db := database{far, "postgres"}
	p, _, _ := db.start(t, near, far.IPv4.String(), "-within", "3s", "-work", "100ms", "query")
	events(t, p, 1, 2, 3)
	before, _, _ := db.start(t, others, far.IPv4.String(), "listen")
	events(t, before, 1, 2, 3)
	for _, c := range cables {
		change(t, c.Cut)
	}
	cut := time.Now()
	kill()
	last, line, at := untilLost(t, p, 3)
	e2e.Figure(t, "pgx, power loss of the server, -within 3s", at.Sub(cut))
	if !strings.Contains(line, byKernel) {
		t.Error(line)
	}
	files.Start(t, far)
	change(t, cables[0].Heal)
	p.Wait(t, 10*due, "connected")
	events(t, p, last+1, last+2)
	if n := db.ask(t, "select count(*) from events where id <= $1", last+2)[0]; n != int64(last+2) {
		t.Errorf("the database has %d events of %d", n, last+2)
	}
	before.Silent(t, time.Until(cut.Add(10*due)), "lost")
	e2e.Figure(t, "pgx, power loss of the server", time.Since(cut))
}

// TestKilledHost kills the server's host for good. The server starts again on another
// host, which the program also knows.
func TestKilledHost(t *testing.T) {
	t.Parallel()
	near, far, spare := labtest.NewHost(t), labtest.NewHost(t), labtest.NewHost(t)
	cable := labtest.NewCable(t, near, far)
	labtest.NewCable(t, near, spare)
	files := labtest.NewPostgres(t)
	kill := files.Start(t, far)
	hosts := far.IPv4.String() + "," + spare.IPv4.String()
	db := database{far, "postgres"}
	before, _, _ := db.start(t, near, hosts, "listen")
	p, _, _ := db.start(t, near, hosts, "-within", "3s", "listen")
	db.store(t, 1)
	events(t, p, 1)
	events(t, before, 1)
	cut := change(t, cable.Cut)
	far.Close()
	kill()
	files.Start(t, spare)
	db.host = spare
	db.store(t, 2)
	line, at := p.Wait(t, 2*due, "session 1: lost")
	e2e.Figure(t, "pgx, killed host, -within 3s", at.Sub(cut))
	if !strings.Contains(line, byKernel) {
		t.Error(line)
	}
	events(t, p, 2)
	before.Silent(t, time.Until(cut.Add(10*due)), "session 1: lost")
	e2e.Figure(t, "pgx, killed host", time.Since(cut))
}

// TestForgotten has a NAT router that forgets in 2 s. Keepalive that probes sooner
// keeps the connection; keepalive and heartbeats that come too late notice the loss.
func TestForgotten(t *testing.T) {
	t.Parallel()
	far := labtest.NewHost(t)
	labtest.StartPostgres(t, far)
	for i, tt := range []struct{ row, args, lost string }{
		{"pgx behind NAT that forgets in 2s", "listen", "never"},
		{"pgx behind NAT that forgets in 2s, -within 3s", "-within 3s listen", ""},
		{"pgx behind NAT that forgets in 2s, -within 9s", "-within 9s listen", byKernel},
		{"pgx behind NAT that forgets in 2s, -heartbeat 4s", "-heartbeat 4s listen", byMonitor},
	} {
		t.Run(tt.row, func(t *testing.T) {
			t.Parallel()
			near := labtest.NewHost(t)
			cable := labtest.NewCable(t, near, far)
			labtest.Need(t, cable.Masquerade(near, 2*time.Second))
			db := database{far, fmt.Sprint("n", i)}
			database{far, "postgres"}.ask(t, "create database "+db.name)
			p, _, _ := db.start(t, near, far.IPv4.String(), strings.Fields(tt.args)...)
			silent := time.Now()
			time.Sleep(3500 * time.Millisecond) // Now the router has forgotten.
			db.store(t, 1)
			stored := time.Now()
			switch tt.lost {
			case "never":
				p.Silent(t, 10*due, "e") // Neither event nor lost.
				e2e.Figure(t, tt.row, time.Since(stored))
				return
			case "":
			default:
				line, at := p.Wait(t, 5*due, "session 1: lost")
				t.Logf("lost after %v", at.Sub(silent))
				if !strings.Contains(line, tt.lost) {
					t.Error(line)
				}
			}
			line, at := p.Wait(t, due, "event 1")
			if tt.lost == "" && at.Sub(stored) > due/2 {
				t.Errorf("%s after %v", line, at.Sub(stored))
			}
			e2e.Figure(t, tt.row, at.Sub(stored))
			db.store(t, 2)
			events(t, p, 2)
		})
	}
}

// TestHeals has a partition that ends before it is noticed: the session goes on.
func TestHeals(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	labtest.StartPostgres(t, l.Far)
	db := database{l.Far, "postgres"}
	p, _, _ := db.start(t, l.Near, l.Far.IPv4.String(), "-within", "9s", "-heartbeat", "2s", "-timeout", "6s", "listen")
	db.store(t, 1)
	events(t, p, 1)
	change(t, l.Cable.Cut)
	db.store(t, 2)
	p.Silent(t, due, "e")
	healed := change(t, l.Cable.Heal)
	_, at := p.Wait(t, 2*due, "event 2")
	e2e.Figure(t, "pgx, partition of 3s, -within 9s -heartbeat 2s -timeout 6s", at.Sub(healed))
	p.Silent(t, 2*due, "lost")
	db.store(t, 3)
	events(t, p, 3)
}

// change changes a cable and returns when it did.
func change(t *testing.T, do func() error) time.Time {
	t.Helper()
	if err := do(); err != nil {
		t.Fatal(err)
	}
	return time.Now()
}

// events waits for the next events, which must come in this order.
func events(t *testing.T, p *e2e.Program, ids ...int) {
	t.Helper()
	for _, id := range ids {
		if line, _ := p.Wait(t, 10*due, "event"); eventOf(t, line) != id {
			t.Fatalf("%s, want event %d", line, id)
		}
	}
}

// A database is on the server of host.
type database struct {
	host *netlab.Host
	name string
}

const text = "user=postgres sslmode=disable dbname=%s host=%s"

// start starts the program on another host and waits until it works.
func (db database) start(t *testing.T, from *netlab.Host, hosts string, args ...string) (p *e2e.Program, connected string, listens bool) {
	t.Helper()
	p = e2e.Start(t, from, append([]string{"-db", fmt.Sprintf(text, db.name, hosts)}, args...)...)
	connected, _ = p.Wait(t, 10*due, "connected")
	if listens = args[len(args)-1] == "listen"; listens {
		db.wait(t, "select count(*) from pg_stat_activity where datname = $1 and state = 'idle' and query like 'select id %'", db.name)
	}
	return p, connected, listens
}

// wait waits until a statement returns something other than zero.
func (db database) wait(t *testing.T, sql string, args ...any) {
	t.Helper()
	for deadline := time.Now().Add(10 * due); db.ask(t, sql, args...)[0] == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: 0", sql)
		}
	}
}

// ask runs a statement from the server's own host, where no cable is cut.
func (db database) ask(t *testing.T, sql string, args ...any) []int64 {
	t.Helper()
	config, err := pgx.ParseConfig(fmt.Sprintf(text, db.name, db.host.IPv4))
	if err != nil {
		t.Fatal(err)
	}
	config.DialFunc = e2e.Dial(db.host, new(net.Dialer))
	c, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	rows, _ := c.Query(context.Background(), sql, args...)
	n, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// store stores an event from another session.
func (db database) store(t *testing.T, id int) {
	t.Helper()
	db.ask(t, "with stored as (insert into events values ($1)) select 1 from pg_notify('events', '')", id)
}
