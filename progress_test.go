package tcpopt_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
)

// needProgress skips where there are no counters, which is asserted.
func needProgress(t *testing.T, s tcpopt.Socket) {
	t.Helper()
	_, err := s.Progress()
	if err == nil {
		return
	}
	wantError(t, "Progress", err, tcpopt.TCPInfoRow.Label(), errors.ErrUnsupported)
	t.Skipf("no counters here: %v", err)
}

// until asks for progress until ok is true.
func until(t *testing.T, s tcpopt.Socket, what string, ok func(tcpopt.Progress) bool) tcpopt.Progress {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		p, err := s.Progress()
		if err != nil {
			t.Fatal(err)
		}
		if ok(p) {
			return p
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in %+v", what, p)
		}
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	client, server := connect(t, "tcp4", false)
	s := fromConn(t, client)
	needProgress(t, s)
	before, err := s.Progress()
	if err != nil {
		t.Fatal(err)
	}
	if before.Aborted || before.Pending != 0 || before.Unread != 0 {
		t.Errorf("Progress() = %+v on a new connection", before)
	}
	const sent, received = 100_000, 5000
	if _, err := client.Write(make([]byte, sent)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(server, make([]byte, sent)); err != nil {
		t.Fatal(err)
	}
	until(t, s, "sent and acknowledged", func(p tcpopt.Progress) bool {
		return p.Acked == before.Acked+sent && p.Pending == 0
	})
	if _, err := server.Write(make([]byte, received)); err != nil {
		t.Fatal(err)
	}
	until(t, s, "received and not read", func(p tcpopt.Progress) bool {
		return p.Received == before.Received+received && p.Unread == received && p.Silence < time.Second
	})
	if _, err := io.ReadFull(client, make([]byte, received-1)); err != nil {
		t.Fatal(err)
	}
	if p, err := s.Progress(); err != nil || p.Unread != 1 || p.Aborted || p.Probes > 0 {
		t.Errorf("Progress() = %+v, %v, want one byte unread, neither aborted nor probed", p, err)
	}
}

// TestProgressPending has a peer that reads nothing.
func TestProgressPending(t *testing.T) {
	t.Parallel()
	client, _ := connect(t, "tcp4", false)
	s := fromConn(t, client)
	needProgress(t, s)
	go io.Copy(client, zeros{}) // Until the test closes it.
	until(t, s, "what was not acknowledged", func(p tcpopt.Progress) bool { return p.Pending > 0 })
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func TestProgressAborted(t *testing.T) {
	t.Parallel()
	client, server := connect(t, "tcp4", false)
	s := fromConn(t, client)
	needProgress(t, s)
	server.SetLinger(0)
	server.Close() // By a RST.
	if _, err := client.Read(make([]byte, 1)); err == nil || tcpopt.IsDeadPeer(err) {
		t.Errorf("Read: %v, want a reset, which is not a dead peer", err)
	}
	if p, err := s.Progress(); err == nil && !p.Aborted {
		t.Errorf("Progress() = %+v after a reset, want Aborted", p)
	}
	client.Close()
	if _, err := s.Progress(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Progress() of a closed connection: %v, want net.ErrClosed", err)
	}
}
