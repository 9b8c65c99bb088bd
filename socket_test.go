package tcpopt_test

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/tcpopt/tcpopt"
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
		{"wrapped pipe", wrapper{client}, errors.ErrUnsupported},
		{"ring", ring{}, errors.ErrUnsupported},
		{"17 wrappers", wrapped(17, client), errors.ErrUnsupported},
	} {
		if s, err := tcpopt.FromConn(tt.conn); !errors.Is(err, tt.want) || s != (tcpopt.Socket{}) {
			t.Errorf("%s: FromConn = %v, %v, want %v", tt.name, s, err, tt.want)
		}
	}
	for _, l := range []net.Listener{nil, hidden{}} {
		if s, err := tcpopt.FromListener(l); err == nil || s != (tcpopt.Socket{}) {
			t.Errorf("FromListener(%T) = %v, %v, want an error", l, s, err)
		}
	}
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

type hidden struct{ net.Listener }
