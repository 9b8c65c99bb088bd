#!/usr/bin/env bash
# Vets every package, tests included, for the given ports (GOOS/GOARCH) or for
# every port that Go has. For iOS and some of Android, Go insists on a C linker
# where a program or a test is involved: there the libraries are built instead.
# Their programs and tests have the files of darwin and android/arm64.
set -euo pipefail
cd "$(dirname "$0")/.."

# What is vetted is not run, so the packages it imports need no optimizing: a
# third faster from an empty cache.
fast=(-gcflags 'all=-N -l')
export CGO_ENABLED=0
libraries=$(go list -f '{{if ne .Name "main"}}{{.ImportPath}}{{end}}' ./...)
ports=0 failed=0
for port in ${*:-$(go tool dist list)}; do
	what="vet ./..."
	case $port in ios/* | android/386 | android/amd64 | android/arm) what="build $libraries" ;; esac
	# shellcheck disable=SC2086 # Words of their own.
	GOOS=${port%/*} GOARCH=${port#*/} go ${what%% *} "${fast[@]}" ${what#* } || {
		echo "$port: go ${what%% *} failed" >&2
		failed=$((failed + 1))
	}
	ports=$((ports + 1))
done
echo "$ports ports, $failed failed"
((failed == 0))
