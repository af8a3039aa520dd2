package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Problem is one mistake in a scenario.
type Problem struct {
	// File is the file as the user named it, or the flag at fault.
	File string
	// Line and Column count from 1, the column in characters. Line is 0
	// where there is no source text, as for a flag.
	Line, Column int
	// Path is the field, such as "traffic.http.rate" or "modes[1]".
	Path string
	// Message says what is wrong, beginning with the path.
	Message string
	// Found and Expected are what is there and what could be; each may be
	// empty.
	Found, Expected string
	// Suggestion is what was probably meant; may be empty.
	Suggestion string

	// source is the line of the file.
	source string
}

// Problems are all the mistakes of one scenario in the order of its lines.
type Problems []Problem

// Error describes every problem, each with its line of the source.
func (p Problems) Error() string {
	texts := make([]string, len(p))
	for i, problem := range p {
		texts[i] = problem.String()
	}
	return strings.Join(texts, "\n")
}

// String is the problem on one line, followed by the source line with a
// caret and by the suggestion, where there are such.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
	}
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", p.Line, p.Column)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	b.WriteString(p.Message)
	switch {
	case p.Found != "" && p.Expected != "":
		fmt.Fprintf(&b, " (found %s, expected %s)", p.Found, p.Expected)
	case p.Found != "":
		fmt.Fprintf(&b, " (found %s)", p.Found)
	case p.Expected != "":
		fmt.Fprintf(&b, " (expected %s)", p.Expected)
	}
	margin := "  "
	if p.Line > 0 && p.source != "" {
		number := fmt.Sprintf("%6d", p.Line)
		text, pad := excerpt(p.source, p.Column)
		margin = strings.Repeat(" ", len(number)) + " | "
		fmt.Fprintf(&b, "\n%s | %s\n%s%s^", number, text, margin, pad)
	}
	if p.Suggestion != "" {
		fmt.Fprintf(&b, "\n%sdid you mean %q?", margin, p.Suggestion)
	}
	return b.String()
}

// sortProblems brings problems into the order of the source and drops
// repetitions, which an anchor used twice produces.
func sortProblems(p Problems) Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	type place struct {
		line, column int
		message      string
	}
	seen := make(map[place]bool, len(p))
	return slices.DeleteFunc(p, func(q Problem) bool {
		at := place{q.Line, q.Column, q.Message}
		again := seen[at]
		seen[at] = true
		return again
	})
}

// excerptWidth is the widest excerpt of a source line, in characters.
const excerptWidth = 100

// excerpt returns the part of a source line around a column and the blanks
// that bring a caret below the column.
func excerpt(line string, column int) (text, pad string) {
	runes := []rune(strings.TrimRight(line, " \t"))
	at := min(max(column-1, 0), len(runes))
	from := 0
	if at > excerptWidth*3/4 {
		from = at - excerptWidth*3/4
	}
	to := min(len(runes), from+excerptWidth)
	shown := runes[from:to]
	var b, blanks strings.Builder
	if from > 0 {
		b.WriteString("...")
		blanks.WriteString("   ")
	}
	for i, r := range shown {
		// A tab stays one, so that the caret keeps below its column.
		if r != '\t' && !unicode.IsPrint(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
		switch {
		case from+i >= at:
		case r == '\t':
			blanks.WriteByte('\t')
		default:
			blanks.WriteByte(' ')
		}
	}
	if to < len(runes) {
		b.WriteString("...")
	}
	return b.String(), blanks.String()
}

// clip shortens text from a file for a message and makes it harmless for a
// terminal.
func clip(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, truncate(text))
}

// truncate cuts text after what a message has room for.
func truncate(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return text
}
