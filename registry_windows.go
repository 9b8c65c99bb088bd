package tcpopt

import (
	"fmt"

	"golang.org/x/sys/windows/registry"
)

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
