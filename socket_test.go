package tcpopt_test

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

func TestFromConn(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	want := fromConn(t, client)
	if err := want.SetKeepAlive(true); err != nil {
		t.Fatal(err)
	}
	if _, err := tcpopt.FromConn(wrapped(17, client)); err == nil || !strings.Contains(err.Error(), "more than 16") {
		t.Errorf("FromConn of 17 wrappers: %v", err)
	}
	if got := fromConn(t, wrapped(16, client)); got != want {
		t.Errorf("FromConn of a wrapper = %v, want %v", got, want)
	}
	// An embedded *net.TCPConn is reached by its SyscallConn method.
	embedded := fromConn(t, struct{ *net.TCPConn }{client})
	if on, err := embedded.KeepAlive(); !on || err != nil {
		t.Errorf("KeepAlive() = %v, %v through an embedding, want true", on, err)
	}
}

func TestFromConnRefuses(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	for _, tt := range []struct {
		name string
		conn net.Conn
		want error
	}{
		{"nil", nil, syscall.EINVAL},
		{"nil TCPConn", (*net.TCPConn)(nil), syscall.EINVAL},
		{"wrapper of nil", wrapper{}, syscall.EINVAL},
		{"pipe", client, errors.ErrUnsupported},
		{"function", function(func() {}), errors.ErrUnsupported},
		{"SyscallConn fails", failing{}, net.ErrClosed},
		{"wrapped pipe", wrapper{client}, errors.ErrUnsupported},
		{"ring", ring{}, errors.ErrUnsupported},
		{"17 wrappers", wrapped(17, client), errors.ErrUnsupported},
	} {
		if s, err := tcpopt.FromConn(tt.conn); !errors.Is(err, tt.want) || s != (tcpopt.Socket{}) {
			t.Errorf("%s: FromConn = %v, %v, want %v", tt.name, s, err, tt.want)
		}
	}
}

// TestFromConnNil has what would panic if it were called.
func TestFromConnNil(t *testing.T) {
	for _, tt := range []struct {
		name string
		conn net.Conn
		text string
	}{
		{"nil", nil, "nil <nil>"},
		{"nil TCPConn", (*net.TCPConn)(nil), "nil *net.TCPConn"},
		{"nil tls.Conn", (*tls.Conn)(nil), "nil *tls.Conn"},
		{"nil pointer that embeds", (*pointer)(nil), "nil *tcpopt_test.pointer"},
		{"nil func", function(nil), "nil tcpopt_test.function"},
		{"embeds nil", &pointer{}, "*tcpopt_test.pointer holds a nil <nil>"},
		{"NetConn returns a typed nil", wrapper{(*tls.Conn)(nil)}, "tcpopt_test.wrapper holds a nil *tls.Conn"},
		{"SyscallConn returns nil", conn{}, "its SyscallConn returned nil"},
	} {
		s, err := tcpopt.FromConn(tt.conn)
		if !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), ": "+tt.text) || s != (tcpopt.Socket{}) {
			t.Errorf("%s: FromConn = %v, %v, want EINVAL and %q", tt.name, s, err, tt.text)
		}
	}
}

// TestFromConnEmbedded has wrappers that say nothing of what they wrap.
func TestFromConnEmbedded(t *testing.T) {
	client, server := connect(t, "tcp4", false)
	want := fromConn(t, client)
	secure, _ := labtest.Secure(t, &pointer{Conn: client}, server)
	for name, c := range map[string]net.Conn{
		"struct":            struct{ net.Conn }{client},
		"pointer":           &pointer{Conn: client},
		"pointer of struct": &pointer{Conn: struct{ net.Conn }{client}},
		"under NetConn":     wrapper{&pointer{Conn: client}},
		"over NetConn":      &pointer{Conn: wrapper{client}},
		"under TLS":         secure,
	} {
		if got, err := tcpopt.FromConn(c); got != want || err != nil {
			t.Errorf("%s: FromConn = %v, %v, want that of the socket", name, got, err)
		}
	}

	// Not by a name, nor through an embedded struct, and no other interface.
	type named struct {
		function
		Inner net.Conn
	}
	pipe, other := net.Pipe()
	defer pipe.Close()
	defer other.Close()
	for name, c := range map[string]net.Conn{
		"named":           named{Inner: client},
		"embedded struct": struct{ pointer }{pointer{Conn: client}},
		"its own type":    struct{ another }{client},
		"closed alias":    struct{ alias }{client},
		"17 embedded":     deep(17, client),
		"what is no TCP":  &pointer{Conn: pipe},
	} {
		if s, err := tcpopt.FromConn(c); !errors.Is(err, errors.ErrUnsupported) || s != (tcpopt.Socket{}) {
			t.Errorf("%s: FromConn = %v, %v, want errors.ErrUnsupported", name, s, err)
		}
	}
	_, err := tcpopt.FromConn(&pointer{Conn: pipe})
	if want := "*net.pipe does not lead to a TCP socket"; err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Control function") {
		t.Errorf("FromConn = %v, want %q and a way out", err, want)
	}
}

// TestFromConnAsked has a wrapper whose own SyscallConn is about something else:
// its refusal is final.
func TestFromConnAsked(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	udp := newSocket(t, "udp4")
	if s, err := tcpopt.FromConn(conn{client, udp}); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "not a TCP socket") {
		t.Errorf("FromConn = %v, %v, want that it is not a TCP socket", s, err)
	}
}

type pointer struct {
	_ int // It stands before.
	net.Conn
}

type failing struct{ net.Conn }

func (failing) SyscallConn() (syscall.RawConn, error) { return nil, net.ErrClosed }

type another net.Conn

type alias = net.Conn

type function func()

func (function) Read([]byte) (int, error)         { return 0, nil }
func (function) Write([]byte) (int, error)        { return 0, nil }
func (function) Close() error                     { return nil }
func (function) LocalAddr() net.Addr              { return nil }
func (function) RemoteAddr() net.Addr             { return nil }
func (function) SetDeadline(time.Time) error      { return nil }
func (function) SetReadDeadline(time.Time) error  { return nil }
func (function) SetWriteDeadline(time.Time) error { return nil }

// deep embeds c n times.
func deep(n int, c net.Conn) net.Conn {
	for range n {
		c = &pointer{Conn: c}
	}
	return c
}

type wrapper struct{ net.Conn }

func (w wrapper) NetConn() net.Conn { return w.Conn }

// wrapped puts n wrappers around c.
func wrapped(n int, c net.Conn) net.Conn {
	for range n {
		c = wrapper{c}
	}
	return c
}

type ring struct{ net.Conn }

func (r ring) NetConn() net.Conn { return r }
