package tcpopt_test

import (
	"strconv"
	"testing"

	"github.com/tcpopt/tcpopt"
)

func TestParseSetting(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   string
		want int64
		ok   bool
	}{
		{"Linux", "7200\n", 7200, true},
		{"gVisor, without a newline", "7200", 7200, true},
		{"off", "0\n", 0, true},
		{"negative", "-1\n", -1, true},
		{"above what a socket takes", "32768\n", 32768, true},
		{"the greatest", "2147483647\n", 1<<31 - 1, true},
		{"above an int", "2147483648\n", 0, false},
		{"empty", "", 0, false},
		{"two numbers", "1\t2\n", 0, false},
		{"text", "7200s\n", 0, false},
	} {
		got, err := tcpopt.ParseSetting([]byte(tt.in))
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: ParseSetting(%q) = %d, %v, want %d", tt.name, tt.in, got, err, tt.want)
		}
	}
}

func FuzzParseSetting(f *testing.F) {
	for _, in := range []string{"7200\n", "0", "-1\n", "99999999999999999999\n", " 75 \n", "+9", ""} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		n, err := tcpopt.ParseSetting(in)
		if err != nil {
			if n != 0 {
				t.Errorf("ParseSetting(%q) = %d with %v", in, n, err)
			}
			return
		}
		again, err := tcpopt.ParseSetting([]byte(strconv.FormatInt(n, 10) + "\n"))
		if again != n || err != nil || n != int64(int32(n)) {
			t.Errorf("ParseSetting(%q) = %d, then %d, %v", in, n, again, err)
		}
	})
}
