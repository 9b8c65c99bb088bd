package census

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m, 16) }

// TestForeign is for systems that show no sockets of other processes.
func TestForeign(t *testing.T) {
	if runtime.GOOS == "linux" {
		t.Skip("this OS has pidfd_getfd")
	}
	if c, err := Take(&Query{}); c != nil || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "not on "+runtime.GOOS) {
		t.Errorf("Take = %v, %v", c, err)
	}
	if err := new(Socket).Visit(nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Visit = %v", err)
	}
	if d := (Denial{Reason: Gone}); d.Explain() != Gone.Meaning() {
		t.Errorf("Explain = %q", d.Explain())
	}
}

func TestStates(t *testing.T) {
	all := States()
	if len(all) != 10 || !slices.Contains(all, "established") || !slices.Contains(all, StateListen) || slices.Contains(all, "time-wait") || slices.Contains(all, "") {
		t.Errorf("States = %q", all)
	}
}

func TestReasons(t *testing.T) {
	all := Reasons()
	for _, r := range []Reason{ListingDenied, ListingBanned, Hidden, YamaDenied, SeccompDenied, TakingDenied, ForeignClass, KernelTooOld, ThreadTooOld, Gone, Ended, Failed} {
		if !slices.Contains(all, r) || r.Meaning() == string(r) {
			t.Errorf("%s is not in %s or means %q", r, all, r.Meaning())
		}
	}
	if len(all) != 12 {
		t.Errorf("Reasons = %s", all)
	}
}

func TestSuspect(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    Socket
		want bool
	}{
		{"nothing", Socket{Counted: true, Heard: true, Pending: 7}, false},
		{"probes", Socket{Probes: 1}, true},
		{"stuck", Socket{Stuck: true}, true},
		{"shut", Socket{Shut: true}, true},
	} {
		if got := tt.s.Suspect(); got != tt.want {
			t.Errorf("%s: Suspect = %v, want %v", tt.name, got, tt.want)
		}
	}
}
