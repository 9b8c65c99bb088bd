package census

import (
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
