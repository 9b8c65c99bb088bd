package tcpopt

import "time"

var ParseSetting = parseSetting

// SystemRow is an option as OpenBSD has it, with a setting of Linux.
var SystemRow = Row{&option{label: "TCP_SYSTEM", unit: time.Second, system: "net.ipv4.tcp_keepalive_time"}}
