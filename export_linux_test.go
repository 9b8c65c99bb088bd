package tcpopt

var ParseSetting = parseSetting
