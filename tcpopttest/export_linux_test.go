package tcpopttest

import (
	"net"
	"testing"
)

type Way = way

var (
	Signature = signature
	Filter    = filter

	// Pretended is what a sandbox does with an option that it does not know.
	Pretended = way{name: "PRETENDED", add: accept, remove: accept}
)

func (w way) Name() string { return w.name }

func accept(int) error { return nil }

// SilenceBy is Silence in one way alone.
func SilenceBy(tb testing.TB, peer net.Conn, w Way) {
	tb.Helper()
	rc, err := rawConn(peer)
	if err != nil {
		tb.Fatal(err)
	}
	silenceBy(tb, rc, w)
}
