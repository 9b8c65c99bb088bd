#!/bin/sh
# tests.sh build [FLAG...]   compiles the tests of every package that has any,
#                            each into its package's folder
# tests.sh run [COMMAND...]  runs what was compiled there, by COMMAND if given
set -eu
cd "$(dirname "$0")/.."
verb=$1
shift
case $verb in
build)
	packages=$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}.{{slice .ImportPath (len .Module.Path)}}{{end}}' ./...)
	for package in $packages; do
		go test -c "$@" -o "$package/tests.exe" "$package"
	done
	;;
run)
	found=$(find . -name tests.exe)
	test "$found"
	# Most tests wait for a kernel's timers, so packages need not wait in turn.
	for tests in $found; do
		(
			cd "${tests%/*}"
			"$@" ./tests.exe -test.v -test.timeout="${TESTS_TIMEOUT:-5m}" >tests.out 2>&1 || echo "FAIL $tests" >>tests.out
		) &
	done
	wait
	failed=0
	for tests in $found; do
		cat "${tests%/*}/tests.out"
		! tail -n 1 "${tests%/*}/tests.out" | grep '^FAIL ' >&2 || failed=1
	done
	exit $failed
	;;
esac
