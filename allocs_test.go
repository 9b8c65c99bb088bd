package tcpopt_test

import (
	"go/build"
	"net"
	"slices"
	"testing"

	"github.com/tcpopt/tcpopt"
)

// TestAllocs holds every method to no allocation. Before Go 1.26 the compiler does
// not find the type of what TCPConn.SyscallConn returns.
func TestAllocs(t *testing.T) {
	plain, _ := connect(t, "tcp4", false)
	secure, _ := connectTLS(t)
	sockets := map[string]tcpopt.Socket{"tcp": fromConn(t, plain), "tls": fromConn(t, secure), "descriptor": fromFD(t, plain)}
	for _, tt := range multipathSubjects(t) {
		if tt.missing == nil {
			sockets[tt.name] = tt.socket
		}
	}
	older := !slices.Contains(build.Default.ReleaseTags, "go1.26")
	for name, s := range sockets {
		most := 0.0
		if older && name != "descriptor" {
			most = 4
		}
		for _, tt := range allCalls {
			if tt.call(s) != nil {
				continue // An error may allocate.
			}
			if n := testing.AllocsPerRun(100, func() { tt.call(s) }); n > most {
				t.Errorf("%s: %s allocates %v times", name, tt.name, n)
			}
		}
		if n := testing.AllocsPerRun(100, func() { s.SetSupported(full) }); n > most {
			t.Errorf("%s: SetSupported(%+v) allocates %v times", name, full, n)
		}
		elsewhere := func() {
			if n := testing.AllocsPerRun(100, func() { s.Config() }); n > most {
				t.Errorf("%s: with rows of another system Config allocates %v times", name, n)
			}
		}
		tcpopt.WithRows(true, elsewhere)
		tcpopt.WithPair(true, elsewhere)
		c := full
		if s.SetConfig(c) != nil {
			c.UserTimeout = 0
		}
		if n := testing.AllocsPerRun(100, func() { s.SetConfig(c) }); n > most {
			t.Errorf("%s: SetConfig(%+v) allocates %v times", name, c, n)
		}
	}
}

// fromFD is the Socket of the descriptor of c, which is to stay open.
func fromFD(t *testing.T, c *net.TCPConn) (s tcpopt.Socket) {
	t.Helper()
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	rc.Control(func(fd uintptr) { s = tcpopt.FromFD(fd) })
	return s
}

func BenchmarkSocket(b *testing.B) {
	client, _ := connect(b, "tcp4", false)
	s := fromConn(b, client)
	for _, tt := range allCalls {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				tt.call(s)
			}
		})
	}
	b.Run("SetConfig of all", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			s.SetConfig(full)
		}
	})
}
