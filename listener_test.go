package tcpopt_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/tcpopt/tcpopt"
)

func TestFromListener(t *testing.T) {
	l := listen(t, "tcp4", false)
	s, err := tcpopt.FromListener(l)
	if err != nil {
		t.Fatal(err)
	}
	before := config(t, s)
	if !tcpopt.KeepAliveRow.Inherits() {
		for _, tt := range allCalls {
			if strings.HasPrefix(tt.name, "Set") && tt.name != "SetSupported" {
				wantError(t, tt.name, tt.call(s), tt.label, errors.ErrUnsupported)
			}
		}
		if after := config(t, s); after != before {
			t.Errorf("config is %+v after refusals, want %+v", after, before)
		}
		return
	}
	if err := s.SetConfig(full); err != nil {
		t.Fatal(err)
	}
	want := config(t, s)
	if want == before {
		t.Fatalf("SetConfig(%+v) changed nothing", full)
	}
	d := net.Dialer{KeepAlive: -1}
	c, err := d.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if got := config(t, fromConn(t, accepted)); got != want {
		t.Errorf("accepted connection has %+v, want its listener's %+v", got, want)
	}
}
