package interop

import (
	_ "embed"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tcpopt/tcpopt/internal/census"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// compiledPlan is what tcpopt plan 42s grpc prints, compiled with these tests.
//
//go:embed plan_grpc_test.go
var compiledPlan string

// TestPlanGRPC reads the options of both ends of a gRPC connection, with gRPC's own
// dialer.
func TestPlanGRPC(t *testing.T) {
	labtest.NeedTaking(t)
	printed, err := exec.Command("go", "run", "github.com/tcpopt/tcpopt/cmd/tcpopt", "plan", "42s", "grpc").Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "package interop\n\n" + string(printed); compiledPlan != want {
		t.Errorf("compiled is\n%s, printed is\n%s", compiledPlan, want)
	}
	l, err := net.Listen("tcp", labtest.Loopback("tcp4"))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(serverOptions...)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	client, err := grpc.NewClient(l.Addr().String(), dialOption, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	client.Connect()
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := census.Take(&census.Query{PIDs: []int{os.Getpid()}})
		if err != nil {
			t.Fatal(err)
		}
		ends, right := 0, 0
		for _, s := range c.Sockets {
			if s.State == "established" && (s.Local.Port() == port || s.Remote.Port() == port) {
				ends++
				if s.Config.UserTimeout == 14*time.Second {
					right++
				}
			}
		}
		if right == 2 {
			return // Each sets it some time after it has connected or accepted.
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d ends, %d with a user timeout of 14 s: %+v", ends, right, c.Sockets)
		}
	}
}
