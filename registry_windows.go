package tcpopt

import (
	"fmt"
	"time"

	"golang.org/x/sys/windows/registry"
)

// The values that stand for an absent one are those of Microsoft's page on
// SO_KEEPALIVE.
var systemRows = []systemRow{
	{name: "KeepAliveTime", tick: time.Millisecond, of: &keepIdle, absent: 7200000},
	{name: "KeepAliveInterval", tick: time.Millisecond, of: &keepInterval, absent: 1000},
}

const parameters = `SYSTEM\CurrentControlSet\Services\Tcpip\Parameters`

func readSystem(name string) (int64, error) {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, parameters, registry.QUERY_VALUE)
	if err != nil {
		return 0, fmt.Errorf(`HKLM\%s: %w`, parameters, err)
	}
	defer key.Close()
	n, _, err := key.GetIntegerValue(name)
	if err != nil {
		return 0, fmt.Errorf(`HKLM\%s\%s: %w`, parameters, name, err)
	}
	return int64(n), nil
}
