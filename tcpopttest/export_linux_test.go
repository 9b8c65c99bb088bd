package tcpopttest

import (
	"net"
	"testing"

	"github.com/tcpopt/tcpopt/internal/deaf"
)

// Pretended does what a sandbox does with an option that it does not know.
var Pretended = deaf.Way{Name: "PRETENDED", Add: accept, Remove: accept}

func accept(int) error { return nil }

// SilenceBy is Silence in this way only.
func SilenceBy(tb testing.TB, peer net.Conn, w deaf.Way) {
	tb.Helper()
	silence(tb, peer, w)
}
