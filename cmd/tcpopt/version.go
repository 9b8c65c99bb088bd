package main

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

func runVersion(v *verb, args []string, stdout io.Writer) error {
	if err := v.parse(&flag.FlagSet{}, args, stdout); err != nil {
		return err
	}
	_, err := fmt.Fprintln(stdout, describeBuild(buildInfo()))
	return err
}

func buildInfo() *debug.BuildInfo {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	if info.Main.Version == "" {
		info.Main.Version = "(devel)"
	}
	return info
}

// describeBuild is one line. What the build does not know is left out.
func describeBuild(info *debug.BuildInfo) string {
	s := "tcpopt " + info.Main.Version
	if revision := recorded(info, "vcs.revision"); revision != "" {
		s += ", revision " + revision
		if recorded(info, "vcs.modified") == "true" {
			s += " modified"
		}
		if at := recorded(info, "vcs.time"); at != "" {
			s += " of " + at
		}
	}
	return s + ", " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
}

// recorded is what the build recorded by that key, or empty.
func recorded(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
