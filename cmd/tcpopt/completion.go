package main

import (
	"embed"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/template"
)

// The scripts, as templates that are given all verbs as a completedVerb, so that
// what they offer is what the command takes.
//
//go:embed completion/*.txt
var completionScripts embed.FS

var shells = []string{"bash", "zsh", "fish"}

func runCompletion(v *verb, args []string, stdout io.Writer) error {
	var operands []string
	if err := v.parseOperands(&flag.FlagSet{}, args, stdout, &operands); err != nil {
		return err
	}
	shell := shells[0]
	if len(operands) > 0 {
		if err := (wordFlag{&shell, shells}).Set(operands[0]); err != nil {
			return misused(fmt.Errorf("invalid shell %q: %w", operands[0], err))
		}
	}
	if len(operands) > 1 {
		return misused(fmt.Errorf("unexpected argument %q; usage: tcpopt %s -h", operands[1], v.name))
	}
	var all []completedVerb
	for _, v := range verbs() {
		all = append(all, newCompletedVerb(v))
	}
	name := shell + ".txt"
	return template.Must(template.New(name).Funcs(template.FuncMap{
		"join":  func(words []string) string { return strings.Join(words, " ") },
		"quote": quoteShell,
		"zsh":   zshFlag,
		"fish":  func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" },
	}).ParseFS(completionScripts, "completion/"+name)).Execute(stdout, all)
}

// A completedVerb is what a script is told of a verb. Words are what its operands
// may be.
type completedVerb struct {
	Name, Help, Operand string
	Flags               []completedFlag
	Words               []string
}

// A completedFlag has a value unless it is a switch. Words are what that may be;
// if there are none, Kind may say what it is: pid, command or file.
type completedFlag struct {
	Name, Help, Value, Kind string
	Words                   []string
	Repeated                bool
}

// Dashed are the flags as they are typed.
func (v completedVerb) Dashed() (all []string) {
	for _, f := range v.Flags {
		all = append(all, "-"+f.Name)
	}
	return all
}

func newCompletedVerb(v *verb) completedVerb {
	c := completedVerb{Name: v.name, Help: v.help}
	switch v.name {
	case "plan":
		c.Operand = "target"
		for _, t := range targets() {
			c.Words = append(c.Words, t.name)
		}
		c.Words = append(c.Words, all)
	case "completion":
		c.Operand, c.Words = "shell", shells
	}
	for _, f := range v.flags() {
		value, help := usageOf(f)
		_, repeated := f.Value.(repeatable)
		d := completedFlag{Name: f.Name, Value: value, Repeated: repeated}
		d.Help, _, _ = strings.Cut(help, ";")
		switch {
		case strings.Contains(value, "|"):
			d.Words = strings.Split(value, "|")
		case f.Name == "pid":
			d.Kind = "pid"
		case value == "command", value == "file":
			d.Kind = value
		}
		c.Flags = append(c.Flags, d)
	}
	return c
}

// quoteShell is s as one word of a POSIX shell.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// zshFlag is a flag as a specification for _arguments.
func zshFlag(f completedFlag) string {
	escape := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `:`, `\:`)
	s := "-" + f.Name + "[" + escape.Replace(f.Help) + "]"
	if f.Repeated {
		s = "*" + s
	}
	if f.Value != "" {
		s += ":" + escape.Replace(f.Value) + ":"
	}
	switch {
	case len(f.Words) > 0:
		s += "(" + strings.Join(f.Words, " ") + ")"
	case f.Kind == "pid":
		s += "_tcpopt_pids"
	case f.Kind == "command":
		s += "_tcpopt_commands"
	case f.Kind == "file":
		s += "_files"
	}
	return quoteShell(s)
}
