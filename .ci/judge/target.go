package main

import (
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
)

// An event is a line of test2json.
type event struct{ Action, Package, Test, Output string }

// A target is a system, and what its tests did.
type target struct {
	name   string
	passed int
	skips  []*test
	failed []*test
}

// A test without a name is its package.
type test struct {
	pkg, name string
	output    strings.Builder
	end       string // how it ended, or "" if it did not
}

// logged is a line of t.Log or t.Skip.
var logged = regexp.MustCompile(`^ +[^ :]+\.go:[0-9]+: (.*)`)

// reason is the last that a test has logged.
func (t *test) reason() (last string) {
	for _, line := range strings.Split(t.output.String(), "\n") {
		if m := logged.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil {
			last = m[1]
		}
	}
	return last
}

// read reads what the tests of a target did.
func read(name string, r io.Reader) (*target, error) {
	type key struct{ pkg, test string }
	tests := map[key]*test{}
	var begun []*test // in their order
	for d := json.NewDecoder(r); ; {
		var e event
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		k := key{e.Package, e.Test}
		t := tests[k]
		if t == nil {
			t = &test{pkg: e.Package, name: e.Test}
			tests[k] = t
			begun = append(begun, t)
		}
		switch e.Action {
		case "output": // A panic's comes after the end.
			t.output.WriteString(e.Output)
		case "pass", "fail", "skip":
			t.end = e.Action
		}
	}
	all := &target{name: name}
	failed := map[string]bool{} // the packages that have a failed test
	for _, t := range begun {
		switch {
		case t.name == "":
		case t.end == "pass":
			all.passed++
		case t.end == "skip":
			all.skips = append(all.skips, t)
		default:
			all.failed = append(all.failed, t)
			failed[t.pkg] = true
		}
	}
	// A package may fail though its tests passed: it crashed, or the race detector
	// has seen something.
	for _, t := range begun {
		if t.name == "" && t.end != "pass" && t.end != "skip" && !failed[t.pkg] {
			all.failed = append(all.failed, t)
		}
	}
	return all, nil
}
