package main

import (
	"bytes"
	"embed"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/tcpopt/tcpopt"
)

// A target is a program, or a file, for which plan has a text: a file of the
// folder plan, NAME.txt. Its first line says what it is, in -list and above the
// text; after an empty line the text follows, as a template that is given words.
// The text says what that program cannot do.
type target struct{ name, title, body string }

//go:embed plan/*.txt
var planned embed.FS

// targets are all of them, by name.
func targets() (all []target) {
	files, err := planned.ReadDir("plan")
	if err != nil {
		panic(err)
	}
	for _, f := range files {
		b, err := planned.ReadFile("plan/" + f.Name())
		if err != nil {
			panic(err)
		}
		// A checkout may have the line ends of the system.
		title, body, _ := strings.Cut(strings.ReplaceAll(string(b), "\r", ""), "\n\n")
		all = append(all, target{strings.TrimSuffix(f.Name(), ".txt"), title, body})
	}
	return all
}

// linux reports whether the target runs there alone, or is told as if it did: the
// texts for Go are for all systems.
func (t target) linux() bool { return t.name != "go" && t.name != "go-tcpopt" }

// Words are what a text has of a plan. Numbers are whole seconds. Where a program
// on Linux can set a user timeout it is Within, whatever the system of the plan has.
type words struct {
	Within, Idle, Interval, Count int
	Whole                         time.Duration
	Config                        tcpopt.Config
}

// fill is the text with a plan's values.
func (t target) fill(within time.Duration, c tcpopt.Config) string {
	count := c.Count
	if count == 0 {
		count = -1 // Package net leaves it alone then.
	}
	seconds := func(d time.Duration) int { return int(d / time.Second) }
	var out bytes.Buffer
	err := template.Must(template.New(t.name).Funcs(arithmetic).Parse(t.body)).Execute(&out, words{
		Within: seconds(within), Idle: seconds(c.Idle), Interval: seconds(c.Interval), Count: count,
		Whole: within.Truncate(time.Second), Config: c,
	})
	if err != nil {
		panic(err) // The tests fill all of them.
	}
	return out.String()
}

var arithmetic = template.FuncMap{
	"sub": func(a, b int) int { return a - b },
	"div": func(a, b int) int { return a / b },
	"go": func(d time.Duration) string {
		if d%time.Second != 0 {
			return fmt.Sprintf("%d * time.Millisecond", d.Milliseconds())
		}
		return fmt.Sprintf("%d * time.Second", d/time.Second)
	},
}
