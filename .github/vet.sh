#!/usr/bin/env bash
# Vets every package, tests included, for the given ports (GOOS/GOARCH) or for
# every port that Go has. Where vet wants an external linker, iOS and some of
# Android, it builds instead.
set -euo pipefail
cd "$(dirname "$0")/.."

# What is vetted is not run, so the packages it imports need no optimizing: a
# third faster from an empty cache.
fast=(-gcflags 'all=-N -l')
ports=0
for port in ${*:-$(go tool dist list)}; do
	verb=vet
	case $port in ios/* | android/386 | android/amd64 | android/arm) verb=build ;; esac
	GOOS=${port%/*} GOARCH=${port#*/} CGO_ENABLED=0 go $verb "${fast[@]}" ./... || {
		echo "$port: go $verb failed" >&2
		exit 1
	}
	ports=$((ports + 1))
done
echo "$ports ports"
