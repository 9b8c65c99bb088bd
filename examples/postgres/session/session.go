// Package session has pgx sessions that notice when their server is gone.
package session

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/liveness"
)

// Options say how a session notices that its server is gone, in any combination.
// With zero Options a session is plain pgx.
type Options struct {
	// KeepAlive has the kernel probe the server, whatever the session does.
	KeepAlive tcpopt.Config

	// After a silence of Heartbeat, Wait asks the server, and gives it Timeout to
	// answer. During a query no server answers.
	Heartbeat, Timeout time.Duration

	// OnIdle decides whether to go on when nothing was sent or received for Idle,
	// and again after each further Idle.
	Idle   time.Duration
	OnIdle func(silent time.Duration) bool
}

// A Session is a connection to a database.
type Session struct {
	*pgx.Conn
	o    Options
	conn *conn // nil with zero Options
}

// Connect returns a session with the database, which is named as in pgx.
func (o Options) Connect(ctx context.Context, database string) (*Session, error) {
	config, err := pgx.ParseConfig(database)
	if err != nil {
		return nil, err
	}
	if o.KeepAlive != (tcpopt.Config{}) || o.Heartbeat != 0 || o.Idle != 0 {
		config.DialFunc = o.DialContext
	}
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	below := c.PgConn().Conn()
	if t, ok := below.(interface{ NetConn() net.Conn }); ok {
		below = t.NetConn() // of TLS
	}
	s := &Session{Conn: c, o: o}
	s.conn, _ = below.(*conn)
	return s, nil
}

// Wait waits for a notification. To ask the server it stops waiting, sends pgx's
// Ping, and waits on.
func (s *Session) Wait(ctx context.Context) error {
	if s.o.Heartbeat == 0 {
		_, err := s.WaitForNotification(ctx)
		return err
	}
	socket, err := tcpopt.FromConn(s.conn)
	if err != nil {
		return err
	}
	var asked atomic.Pointer[chan struct{}] // closed by the answer
	var wake atomic.Pointer[context.CancelFunc]
	ended := make(chan struct{})
	defer close(ended)
	m := liveness.Monitor{
		Idle: s.o.Heartbeat, Timeout: s.o.Timeout, Progress: socket.Progress, Dead: s.conn.end,
		Probe: func() error {
			answered := make(chan struct{})
			asked.Store(&answered)
			(*wake.Load())()
			select {
			case <-answered:
			case <-ended:
			}
			return nil
		},
	}
	defer m.Stop()
	for first := true; ; first = false {
		waiting, cancel := context.WithCancel(ctx)
		if wake.Store(&cancel); first {
			m.Start()
		}
		var err error
		answered := asked.Load()
		if answered == nil { // A Probe from here on ends this wait.
			if _, err = s.WaitForNotification(waiting); err != nil {
				answered = asked.Load()
			}
		}
		cancel()
		if answered == nil {
			return err
		}
		asked.Store(nil)
		err = s.Ping(ctx)
		close(*answered)
		if err != nil {
			return err
		}
	}
}
