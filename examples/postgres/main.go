// Postgres is a database session whose server may vanish without a word: its host loses
// power, or a NAT router on the way forgets the connection. By default it does no more
// than pgx to notice that. Give it a server, and cut the cable:
//
//	go run ./postgres -db 'host=192.0.2.1 user=postgres' listen
//	go run ./postgres -db 'host=192.0.2.1 user=postgres' -within 10s listen
//
// Look at how long each takes to report its session lost. Even so, no event is lost or
// stored twice: query retries an event under the same id, and listen looks for what it
// missed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/examples/postgres/session"
	"github.com/tcpopt/tcpopt/liveness"
)

func main() {
	log.SetFlags(log.Lmicroseconds)
	db := flag.String("db", "", "the `database`, as a URL or in libpq's form (default: PGHOST and so on in the environment)")
	within := flag.Duration("within", 0, "let keepalive and user timeout notice a dead server within this time")
	var o session.Options
	flag.DurationVar(&o.Heartbeat, "heartbeat", 0, "while waiting, ask the server after a silence of this length")
	flag.DurationVar(&o.Timeout, "timeout", 5*time.Second, "how long the server may take to answer")
	flag.DurationVar(&o.Idle, "idle", 0, "report when nothing was sent or received for this long, and give up the third time in a row")
	work := flag.Duration("work", time.Second, "how long each query takes")
	flag.Parse()
	if *within != 0 {
		c, err := tcpopt.Within(*within)
		if err != nil {
			log.Fatal(err)
		}
		o.KeepAlive = c
	}
	run := map[string]func(context.Context, *session.Session) error{"listen": listen, "query": query(*work)}[flag.Arg(0)]
	if run == nil || flag.NArg() != 1 {
		log.Fatal("usage: postgres [flags] listen|query; -h lists the flags")
	}
	log.Print("cut the cable, and see when the session is lost, if ever")
	for n := 1; ; n++ {
		err := once(o, *db, n, run)
		e := (*liveness.Error)(nil)
		log.Printf("session %d: lost: %v (dead peer: %v, heartbeat or idle timeout: %v)", n, err, tcpopt.IsDeadPeer(err), errors.As(err, &e))
		time.Sleep(time.Second)
	}
}

// once runs one session until it is lost.
func once(o session.Options, db string, n int, run func(context.Context, *session.Session) error) error {
	ctx := context.Background()
	o.OnIdle = func(silent time.Duration) bool {
		log.Printf("session %d: nothing sent or received for %v", n, silent)
		return silent < 3*o.Idle
	}
	s, err := o.Connect(ctx, db)
	if err != nil {
		return err
	}
	defer s.Close(ctx)
	log.Printf("session %d: connected to %v; a dead server is noticed within %s", n, s.PgConn().Conn().RemoteAddr(), detection(s))
	if _, err := s.Exec(ctx, "create table if not exists events (id bigint primary key)"); err != nil {
		return err
	}
	return run(ctx, s)
}

// detection says how soon the kernel notices a dead server.
func detection(s *session.Session) string {
	socket, err := tcpopt.FromConn(s.PgConn().Conn())
	if err != nil {
		return err.Error()
	}
	c, err := socket.Config()
	if err != nil {
		return err.Error()
	}
	idle, busy := c.DetectionTime()
	if busy == tcpopt.Unbounded {
		return fmt.Sprintf("%v when idle, and with data in flight when the system gives up", idle)
	}
	return fmt.Sprintf("%v when idle, %v with data in flight", idle, busy)
}

// next is the id after the last event seen or stored.
var next int64

// listen reads the events in order. A notification only says that there may be new
// ones, so it does no harm to miss some.
func listen(ctx context.Context, s *session.Session) error {
	if _, err := s.Exec(ctx, "listen events"); err != nil {
		return err
	}
	for {
		rows, _ := s.Query(ctx, "select id from events where id >= $1 order by id", next)
		var id int64
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
			log.Printf("event %d", id)
			next = id + 1
			return nil
		})
		if err == nil {
			err = s.Wait(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// query stores events. If a session is lost before the answer comes, nobody knows
// whether the event is stored. The same id makes it harmless to store it again.
func query(work time.Duration) func(context.Context, *session.Session) error {
	return func(ctx context.Context, s *session.Session) error {
		if next == 0 {
			if err := s.QueryRow(ctx, "select coalesce(max(id), 0) + 1 from events").Scan(&next); err != nil {
				return err
			}
		}
		for ; ; next++ {
			_, err := s.Exec(ctx, `with work as materialized (select pg_sleep($1)),
				stored as (insert into events select $2 from work on conflict do nothing)
				select pg_notify('events', '')`, work.Seconds(), next)
			if err != nil {
				return err
			}
			log.Printf("event %d is stored", next)
		}
	}
}
