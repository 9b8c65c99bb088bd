package main

import (
	"bytes"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// double are the blocks whose letters take two columns, see East_Asian_Width of
// Unicode 15. Of pictures it has whole blocks: where one takes a single column, a
// line is shorter than it could be, and none is too long.
var double = [][2]rune{
	{0x1100, 0x115f}, {0x231a, 0x23ff}, {0x25fd, 0x27bf}, {0x2b1b, 0x2b55}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xa960, 0xa97f},
	{0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe10, 0xfe19}, {0xfe30, 0xfe6f}, {0xff01, 0xff60}, {0xffe0, 0xffe6},
	{0x16fe0, 0x18cff}, {0x1aff0, 0x1b2ff}, {0x1d300, 0x1d37f}, {0x1f000, 0x1faff}, {0x20000, 0x3fffd},
}

// runeWidth is how many columns a terminal takes for r, which is printable.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	}
	for _, block := range double {
		if block[0] <= r && r <= block[1] {
			return 2
		}
	}
	return 1
}

func width[T string | []byte](text T) int {
	for i := 0; i < len(text); i++ {
		if text[i] >= utf8.RuneSelf {
			n := i
			for _, r := range string(text[i:]) {
				n += runeWidth(r)
			}
			return n
		}
	}
	return len(text)
}

const ellipsis = "…"

// cutEnd shortens text to width columns, where it is longer.
func cutEnd(text string, columns int) string {
	if width(text) <= columns {
		return text
	}
	return head(text, columns-1) + ellipsis
}

// cutMiddle shortens text in the middle.
func cutMiddle(text string, columns int) string {
	if width(text) <= columns {
		return text
	}
	front := head(text, (columns-1)/2)
	return front + ellipsis + tail(text, columns-1-width(front))
}

// cutHost shortens an address with a port in the middle of the host.
func cutHost(text string, columns int) string {
	i := max(strings.LastIndexByte(text, ':'), 0)
	if room := columns - width(text[i:]); room > 0 {
		return cutMiddle(text[:i], room) + text[i:]
	}
	return cutEnd(text, columns)
}

// cutLocal is cutHost, or the port alone where next to nothing of the host would be
// left: the host is most often this one.
func cutLocal(text string, columns int) string {
	i := strings.LastIndexByte(text, ':')
	if port := text[max(i, 0):]; i >= 0 && width(text) > columns && columns-width(port) < 6 {
		return cutEnd(port, columns)
	}
	return cutHost(text, columns)
}

// head and tail are what fits into so many columns of a text.
func head(text string, columns int) string {
	n := 0
	for i, r := range text {
		if n += runeWidth(r); n > columns {
			return text[:i]
		}
	}
	return text
}

func tail(text string, columns int) string {
	for n := 0; ; {
		i := len(text) - n
		r, size := utf8.DecodeLastRuneInString(text[:i])
		columns -= runeWidth(r)
		if columns < 0 || size == 0 {
			return text[i:]
		}
		n += size
	}
}

// A folder writes lines, and folds those that are too long.
type folder struct {
	w     io.Writer
	width int
	line  []byte // of which there is no end yet
}

func (f *folder) Write(b []byte) (int, error) {
	f.line = append(f.line, b...)
	var out []byte
	for {
		end := bytes.IndexByte(f.line, '\n')
		if end < 0 {
			break
		}
		out = fold(out, string(f.line[:end]), f.width)
		f.line = f.line[end+1:]
	}
	f.line = append([]byte(nil), f.line...)
	if _, err := f.w.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// restores begins a line with a command, which stays one when it is folded.
const restores = "  restore  "

// fold appends the lines that become of text, broken between words. What was
// painted is fitted already.
func fold(b []byte, text string, columns int) []byte {
	if strings.Contains(text, "\x1b") {
		return append(append(b, text...), '\n')
	}
	end := "\n"
	if strings.HasPrefix(text, restores) {
		end = " \\\n"
	}
	hang := strings.Repeat(" ", hanging(text))
	for width(text) > columns {
		piece := head(text, columns+1-len(end))
		// Better after a semicolon than in the last clause.
		if i := strings.LastIndex(piece, "; ") + 1; i > len(piece)/2 {
			piece = text[:i]
		} else if i := strings.LastIndexByte(text[:len(piece)+1], ' '); i > len(hang) {
			piece = text[:i]
		}
		b = append(append(b, strings.TrimRight(piece, " ")...), end...)
		text = hang + strings.TrimLeft(text[len(piece):], " ")
	}
	return append(append(b, text...), '\n')
}

// hanging is where the lines go on that become of text: under what stands behind
// its label, where there is one with two spaces after it.
func hanging(text string) int {
	const longest = 24
	indent := len(text) - len(strings.TrimLeft(text, " "))
	label, _, ok := strings.Cut(text[indent:], "  ")
	if n := indent + len(label); ok && n < longest {
		return n + len(text[n:]) - len(strings.TrimLeft(text[n:], " "))
	}
	return min(indent+2, longest)
}
