package census

import (
	"strings"
	"testing"
	"unsafe"
)

// TestParseTable parses lines as Linux 6.18 gave them, little-endian.
func TestParseTable(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	const line = "   5: 0100007F:B043 0200007F:DA7A 01 0000002A:00000007 02:000004E2 00000000     0        0 2108337 2 000000008d058030 20 0 0 10 -1\n"
	const line6 = "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 0000000000000000 100 0 0 10 0\n"
	var got []entry
	if err := parseTable([]byte(head+line+line6), func(e entry) { got = append(got, e) }); err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	e := got[0]
	if e.inode != 2108337 || e.state != 1 || e.queue != 42 || e.local.Port() != 0xb043 || e.remote.Port() != 0xda7a {
		t.Errorf("%+v", e)
	}
	if nativeIsLittle() && (e.local.String() != "127.0.0.1:45123" || got[1].local.String() != "[::1]:8080") {
		t.Errorf("%v, %v", e.local, got[1].local)
	}
	for _, bad := range []string{"x\n", strings.Replace(line, "0100007F:", "0100007:", 1), strings.Replace(line, "2108337", "x", 1),
		strings.Replace(line, " 01 ", " zz ", 1), line[:60] + "\n"} {
		if err := parseTable([]byte(head+bad), func(entry) {}); err == nil {
			t.Errorf("no error from %q", bad)
		}
	}
	if err := parseTable(nil, nil); err != nil {
		t.Error(err)
	}
}

func nativeIsLittle() bool { n := uint16(1); return *(*byte)(unsafe.Pointer(&n)) == 1 }

func FuzzParseTable(f *testing.F) {
	f.Add([]byte("x\n   5: 0100007F:B043 0200007F:DA7A 01 0000002A:00000007 02:000004E2 00000000     0        0 2108337 2 0 20 0 0 10 -1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		parseTable(text, func(e entry) {
			if int(e.state) >= len(states) || !e.local.IsValid() {
				t.Errorf("%+v", e)
			}
		})
	})
}
