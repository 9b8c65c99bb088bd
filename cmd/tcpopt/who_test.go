package main

import (
	"encoding/json"
	"testing"

	"github.com/tcpopt/tcpopt/internal/census"
)

// TestKinds has what was not asked, what could not be read, what there is not and
// what a terminal cannot show, which are said to be what they are.
func TestKinds(t *testing.T) {
	line, user, none, odd := "a\x1b[2J\u202e\u200bb\n", uint32(4294967000), "", "/x\x1b y\u202e"
	read := &census.Process{CommandLine: &line, User: &user, Unit: &census.Unit{CGroup: odd}}
	nothing := &census.Process{CommandLine: &none, Unit: &census.Unit{CGroup: "/"}}
	for _, tt := range []struct {
		name, by    string
		socket      census.Socket
		label, cell string
		json        string
	}{
		{"command line", "cmdline", census.Socket{Process: read}, "a?[2J??b?", "a?[2J??b?", `"a\u001b[2J\u202e\u200bb\n"`},
		{"no command line", "cmdline", census.Socket{Process: nothing}, "(none)", "-", `""`},
		{"unread command line", "cmdline", census.Socket{Process: &census.Process{}}, "(not known)", "?", "null"},
		{"command line not asked for", "cmdline", census.Socket{}, "(not known)", "?", "null"},
		{"user without a name", "user", census.Socket{Process: read}, "4294967000", "4294967000", `"4294967000"`},
		{"unread user", "user", census.Socket{Process: nothing}, "(not known)", "?", "null"},
		{"odd group", "unit", census.Socket{Process: read}, "/x? y?", "/x??y?", `"/x\u001b y\u202e"`},
		{"no unit", "unit", census.Socket{Process: nothing}, "(none)", "-", `""`},
		{"unread unit", "unit", census.Socket{Process: &census.Process{}}, "(not known)", "?", "null"},
		{"namespace", "netns", census.Socket{NetNS: 7}, "7", "7", `"7"`},
		{"namespace with a name", "netns", census.Socket{NetNS: 7, NetNSName: "a\tb"}, "a?b", "a?b", `"a\tb"`},
	} {
		k := kindOf(tt.by)
		if got := k.label(&tt.socket); got != tt.label {
			t.Errorf("%s: label %q, want %q", tt.name, got, tt.label)
		}
		if got := string(appendKind(tt.by)(nil, &tt.socket)); got != tt.cell {
			t.Errorf("%s: cell %q, want %q", tt.name, got, tt.cell)
		}
		total := totals(&census.Census{Sockets: []census.Socket{tt.socket}}, tt.by)[0]
		if b, err := json.Marshal(total.By); err != nil || string(escape(b)) != tt.json {
			t.Errorf("%s: JSON %s, %v, want %s", tt.name, escape(b), err, tt.json)
		}
	}
}

// TestWanted has processes that were asked for by what they are, and that could not
// be read: one error for all, since what is printed says why.
func TestWanted(t *testing.T) {
	denied := []census.Denial{{PID: 1, Reason: census.ListingDenied}, {PID: 2, Reason: census.YamaDenied}, {PID: 3, Reason: census.Hidden}, {PID: 4, Reason: census.Ended}}
	for _, tt := range []struct {
		q         census.Query
		none      string
		denied    int
		errorText string
	}{
		{census.Query{Units: []string{"a", "b\x1b"}}, "of unit a or b?", 1, "could not be read: 2 processes, of those asked for"},
		{census.Query{Users: []uint32{4294967000}, Units: []string{"a"}}, "of user 4294967000 and of unit a", 1, "could not be read: 2 processes, of those asked for"},
		{census.Query{Commands: []string{"x"}, CommandLines: []string{"y z"}}, "named x and run with this in its command line: y z", 2, ""},
		{census.Query{}, "", 0, ""},
	} {
		if got := describe(&tt.q); got != tt.none {
			t.Errorf("described as %q, want %q", got, tt.none)
		}
		errs := failures(&census.Census{Denied: denied}, &tt.q, "-force")
		if len(errs) != tt.denied || tt.errorText != "" && errs[0].Error() != tt.errorText {
			t.Errorf("%s: errors %q, want %d with %q", tt.none, errs, tt.denied, tt.errorText)
		}
	}
}
