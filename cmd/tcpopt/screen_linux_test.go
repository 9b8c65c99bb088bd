package main

import (
	"strings"
	"testing"
)

func TestScreen(t *testing.T) {
	const want = `
COMMAND           PID  LOCAL   REMOTE                 KEEPALIVE  NOTICED    BUSY
stuck              81  :40000  10.0.0.2:5432          2h+9x75s     2h11m  system
    1448 B stuck, silent for 1.2s
shut               82  :40001  10.0.0.2:5432          15s+5s         30s     30s
    window shut, 3072 KiB waiting, silent for 5s
probed             83  :40002  10.0.0.2:5432          15s+5s         30s     30s
    2 probes unanswered, silent for 21s
worker-日本        77  :8443   192.168.100.200:60994  off          never  system
ACCENTS?[31m           78  :8443   [2001:d…1:3333]:52100  off          never  system
half               84  :40003  10.0.0.2:5432          off          never  system
    close-wait
paths              85  :40004  10.0.0.2:5432          off          never  system
    mptcp
postgres      1234567  :5432   10.20.30.200:52100     2h+9x75s     2h11m  system
connects           86  :40005  10.0.0.2:5432          off           2m7s    2m7s
    syn-sent
counts             87  :40006  10.0.0.2:5432          15s+3x5s       30s  system
fifteen-let…       79  :40506  [fe80::1…p0s31f6]:443  15s+5s         30s     30s
listens            80  :80     listening              2h+9x75s         -       -
12 sockets, 5 without keepalive, 3 suspect
tcpopt ls -wide has all columns, -h explains them.
`
	got := "\n" + screenOf(&terminal{width: 80}, screenSockets(), "")
	if want := strings.Replace(want, "ACCENTS", strings.Repeat("e\u0301", 3), 1); got != want {
		t.Errorf("80 columns: %s\nwant%s", got, want)
	}
	wide := screenOf(&terminal{width: 200}, screenSockets(), "")
	for _, line := range []string{
		"shut                  82  10.0.0.1:40001                                 10.0.0.2:5432                                   15s+5s         30s     30s  window shut, 3072 KiB waiting, silent for 5s",
		"fifteen-letters       79  [fe80::1234:5678:9abc:def0%enp0s31f6]:40506    [fe80::1234:5678:9abc:def1%enp0s31f6]:443       15s+5s         30s     30s",
	} {
		if !strings.Contains(wide, "\n"+line+"\n") {
			t.Errorf("200 columns: no %s in\n%s", line, wide)
		}
	}
}
