package tcpopt

import "time"

var ParseSetting = parseSetting

// RateUnit is the unit of a setting whose units per second are another's value, and
// which is in minutes where that is not known.
func RateUnit(rate string) time.Duration {
	return (&systemRow{tick: time.Minute, rate: rate}).unit()
}

// SystemRow is an option as OpenBSD has it, with a setting of Linux.
var SystemRow = Row{&option{label: "TCP_SYSTEM", unit: time.Second, system: "net.ipv4.tcp_keepalive_time"}}
