#!/usr/bin/env bash
# Vets every package for every port that Go has, tests included. Ports whose vet
# wants an external linker (iOS, some of Android) are built instead.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -gcflags=all=-N -gcflags=all=-l"
ports=${*:-$(go tool dist list)}
n=0
for port in $ports; do
	export GOOS=${port%/*} GOARCH=${port#*/}
	case $port in
	ios/* | android/386 | android/amd64 | android/arm) go build ./... ;;
	*) go vet ./... ;;
	esac || { echo "$port: failed" >&2; exit 1; }
	n=$((n + 1))
done
echo "$n ports"
