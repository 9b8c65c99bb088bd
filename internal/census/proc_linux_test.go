package census

import (
	"maps"
	"testing"
)

func TestNetGroups(t *testing.T) {
	const v2 = "0::/user.slice\n"
	const both = "5:net_cls,net_prio:/docker/1\n4:memory:/x\n0::/\n"
	for _, tt := range []struct{ name, a, b string }{
		{"none", v2, "0::/system.slice\n4:memory:/y\n"},
		{"the same", both, "9:net_cls,net_prio:/docker/1\n4:memory:/z\n"},
		{"in another order", "2:net_prio:/a\n1:net_cls:/b\n", "1:net_cls:/b\n2:net_prio:/a\n"},
	} {
		if a, b := netGroups(tt.a), netGroups(tt.b); a != b {
			t.Errorf("%s: %q and %q differ", tt.name, a, b)
		}
	}
	for _, tt := range []struct{ name, a, b string }{
		{"another class", both, "5:net_cls,net_prio:/docker/2\n"},
		{"none and one", v2, both},
		{"path with a colon", "1:net_cls:/a:b\n", "1:net_cls:/a:c\n"},
	} {
		if a, b := netGroups(tt.a), netGroups(tt.b); a == b {
			t.Errorf("%s: %q twice", tt.name, a)
		}
	}
}

func TestSocketInode(t *testing.T) {
	for link, want := range map[string]uint32{"socket:[123]": 123, "socket:[4294967295]": 4294967295, "socket:[4294967296]": 0,
		"socket:[99999999999999999999]": 0, "socket:[]": 0, "socket:[": 0, "pipe:[12]": 0, "/dev/null": 0, "": 0, "socket:[1x]": 0} {
		if n, ok := socketInode([]byte(link)); n != want || ok != (want != 0) {
			t.Errorf("socketInode(%q) = %d, %v, want %d", link, n, ok, want)
		}
	}
}

func TestParseHidePID(t *testing.T) {
	const other = "36 35 0:30 / /mnt rw,noatime master:1 - proc proc rw,hidepid=invisible\n"
	for _, tt := range []struct {
		name, mounts, option string
		group                int
	}{
		{"none", other + "22 1 0:21 / /proc rw,nosuid - proc proc rw\n", "", 0},
		{"invisible", "22 1 0:21 / /proc rw,nosuid shared:5 - proc proc rw,gid=7,hidepid=invisible\n" + other, "hidepid=invisible", 7},
		{"by a number", "22 1 0:21 / /proc rw - proc proc rw,hidepid=2\n", "hidepid=2", 0},
		{"off", "22 1 0:21 / /proc rw - proc proc rw,hidepid=off\n", "", 0},
		{"what is mounted over it", "22 1 0:21 / /proc rw - proc proc rw,hidepid=2\n23 1 0:22 / /proc rw - proc proc rw\n", "", 0},
		{"no proc", "22 1 0:21 / /proc rw - tmpfs x rw,hidepid=2\n", "", 0},
		{"nothing", "", "", 0},
		{"half a line", "22 1 0:21 / /proc rw - proc", "", 0},
	} {
		if option, group := parseHidePID([]byte(tt.mounts)); option != tt.option || group != tt.group {
			t.Errorf("%s: %q, %d, want %q, %d", tt.name, option, group, tt.option, tt.group)
		}
	}
}

func TestNested(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tx\nNSpid:\t7\nNSpgid:\t7\t1\n": false,
		"Name:\tx\nNSpid:\t7\t1\nNSpgid:\t7\n": true,
		"Name:\tx\n":                           false, // Before Linux 4.1.
	} {
		if got := nested([]byte(status)); got != want {
			t.Errorf("nested(%q) = %v, want %v", status, got, want)
		}
	}
}

func TestParseDevices(t *testing.T) {
	const text = "fe80000000000000025056fffec00008 02 40 20 80     eth0\n00000000000000000000000000000001 01 80 10 80       lo\nfe800000000000000000000000000001 1f 40 20 80 a-long-name\nhalf a line\n"
	got := parseDevices([]byte(text))
	if want := (map[uint32]string{1: "lo", 2: "eth0", 31: "a-long-name"}); !maps.Equal(got, want) {
		t.Errorf("parseDevices = %v, want %v", got, want)
	}
}
