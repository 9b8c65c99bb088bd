package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// helpWidth is what a line of help may have.
const helpWidth = 80

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: tcpopt command [flags]")
	for _, v := range verbs() {
		fmt.Fprint(w, wrap(fmt.Sprintf("  %-10s ", v.name), strings.Repeat(" ", 13), v.help))
	}
	fmt.Fprintln(w, "tcpopt command -h prints the flags of a command.")
}

func (v *verb) printHelp(w io.Writer) {
	fmt.Fprint(w, wrap("usage: tcpopt ", "       ", strings.TrimSpace(v.name+" "+v.args)))
	fmt.Fprint(w, wrap("  ", "  ", v.help))
	for _, f := range v.flags() {
		value, help := usageOf(f)
		fmt.Fprintf(w, "%s\n%s", strings.TrimRight("  -"+f.Name+" "+value, " "), wrap("    \t", "    \t", help))
	}
	for _, part := range v.words {
		fmt.Fprintf(w, "\n%s", wrap("", "", part.title))
		for _, word := range part.words {
			first := fmt.Sprintf("  %-14s", word[0])
			fmt.Fprint(w, wrap(first, strings.Repeat(" ", cells(first)), word[1]))
		}
	}
	if len(v.words) > 0 {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "example: %s\n", v.example)
}

// usageOf is flag.UnquoteUsage, with words to choose from in one place only: they stand
// at the end of the text.
func usageOf(f *flag.Flag) (value, help string) {
	value, help = flag.UnquoteUsage(f)
	if strings.Contains(value, "|") {
		help = strings.TrimSuffix(help, " "+value)
	}
	return value, help
}

// wrap is wrapAt the width of help.
func wrap(first, next, text string) string { return wrapAt(helpWidth, first, next, text) }

// wrapAt breaks text into lines that pass that width only where a word does. What is
// in brackets stays in one line, where it fits. The first line begins with first,
// others with next.
func wrapAt(most int, first, next, text string) string {
	var out strings.Builder
	line, at := first, cells(first)
	words := 0
	for _, word := range parts(text) {
		n := width(word)
		if words > 0 && at+1+n > most {
			out.WriteString(strings.TrimRight(line, " ") + "\n")
			line, at, words = next, cells(next), 0
		}
		if words > 0 {
			line, at = line+" ", at+1
		}
		line, at, words = line+word, at+n, words+1
	}
	return out.String() + line + "\n"
}

// parts are the words of text, or what is in brackets if it is short.
func parts(text string) (all []string) {
	depth := 0
	for _, word := range strings.Fields(text) {
		if last := len(all) - 1; depth > 0 && len(all[last])+len(word) < helpWidth/3 {
			all[last] += " " + word
		} else {
			all, depth = append(all, word), 0
		}
		depth += strings.Count(word, "[") - strings.Count(word, "]")
	}
	return all
}

// cells is the width of what begins a line, where a tab is one to column 8.
func cells(s string) int {
	if strings.HasSuffix(s, "\t") {
		return 8
	}
	return width(s)
}
