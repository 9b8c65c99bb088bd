package main

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	on := ", " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	setting := func(key, value string) debug.BuildSetting { return debug.BuildSetting{Key: key, Value: value} }
	for _, tt := range []struct {
		name, version string
		settings      []debug.BuildSetting
		want          string
	}{
		{"go install", "v1.2.3", nil, "tcpopt v1.2.3"},
		{"a checkout", "(devel)", []debug.BuildSetting{
			setting("vcs.revision", "abc"), setting("vcs.time", "2030-01-02T03:04:05Z"), setting("vcs.modified", "false"),
		}, "tcpopt (devel), revision abc of 2030-01-02T03:04:05Z"},
		{"a changed one", "(devel)", []debug.BuildSetting{setting("vcs.revision", "abc"), setting("vcs.modified", "true")},
			"tcpopt (devel), revision abc modified"},
	} {
		info := debug.BuildInfo{Main: debug.Module{Version: tt.version}, Settings: tt.settings}
		if got := describeBuild(&info); got != tt.want+on {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want+on)
		}
	}
	for _, args := range []string{"version", "-version", "--version"} {
		var stdout, stderr strings.Builder
		if status := run([]string{args}, &stdout, &stderr); status != done || !strings.HasPrefix(stdout.String(), "tcpopt ") ||
			!strings.HasSuffix(stdout.String(), on+"\n") || stderr.Len() > 0 {
			t.Errorf("%s: status %d, stdout %q, stderr %q", args, status, &stdout, &stderr)
		}
	}
}
