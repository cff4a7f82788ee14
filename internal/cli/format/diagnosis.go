package format

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// The widths of text: where nobody says, and what a terminal can get.
const (
	textWidth = 80
	minWidth  = 60
	maxWidth  = 110
)

// Style says how to write a diagnosis.
type Style struct {
	// Color colours the text.
	Color bool
	// Width is the number of cells of a line; 0 means 80.
	Width int
	// Symptom is what the owner sees; nil when nobody said.
	Symptom *jetpack.Answered
}

// Diagnosis writes the report on a site: the causes, what each step saw, and the conclusion,
// which stands last, where a terminal shows it.
func Diagnosis(w io.Writer, r *jetpack.Report, style Style) error {
	s := sheet{paint: paint(style.Color), width: min(maxWidth, max(minWidth, cmp.Or(style.Width, textWidth)))}
	fmt.Fprintf(&s.b, "%s (%s)\n", printable(r.URL), r.Took.Round(time.Millisecond))
	s.symptom(style.Symptom)
	s.causes(r)
	s.findings(r)
	s.ruledOut(style.Symptom)
	s.conclusion(r.Conclusion)
	_, err := io.WriteString(w, s.b.String())
	return err
}

// paint returns a function that colours texts, or leaves them unchanged.
func paint(color bool) func(color, text string) string {
	if !color {
		return func(_, text string) string { return text }
	}
	return func(color, text string) string { return "\x1b[" + color + "m" + text + "\x1b[0m" }
}

// writeFindings writes what was seen, the causes and the conclusion.
func writeFindings(b *strings.Builder, paint func(color, text string) string, r *jetpack.Report) {
	s := sheet{paint: paint, width: maxWidth}
	s.findings(r)
	s.causes(r)
	s.conclusion(r.Conclusion)
	b.WriteString(s.b.String())
}

// sheet is a text of a width.
type sheet struct {
	b     strings.Builder
	paint func(color, text string) string
	width int
}

// put writes a text behind a head of plain cells, folded below its own beginning.
func (s *sheet) put(head, text string) {
	indent := utf8.RuneCountInString(head)
	lines := fold(printable(text), s.width-indent)
	fmt.Fprintf(&s.b, "%s%s\n", head, strings.Join(lines, "\n"+strings.Repeat(" ", indent)))
}

// symptom writes what the owner sees, and what it means.
func (s *sheet) symptom(a *jetpack.Answered) {
	if a == nil {
		return
	}
	fmt.Fprintf(&s.b, "\n%s\n", s.paint("1", fmt.Sprintf("On the screen: %q", printable(a.Words))))
	s.put("  ", a.Means)
	switch len(a.Causes) {
	case 0:
		s.put("  ", "Nothing that was found explains it. "+a.Else)
	default:
		s.put("  ", "Explained by: "+strings.Join(a.Causes, ", ")+".")
	}
}

// ruledOut writes which usual reasons of a symptom are none here, and which are open.
func (s *sheet) ruledOut(a *jetpack.Answered) {
	if a == nil || len(a.RuledOut)+len(a.Unknown) == 0 {
		return
	}
	fmt.Fprintf(&s.b, "\n%s\n", s.paint("1", "Other usual reasons"))
	for _, line := range a.RuledOut {
		s.put("  not   ", line)
	}
	for _, line := range a.Unknown {
		s.put("  open  ", line)
	}
}

// causes writes what is wrong, the most probable first.
func (s *sheet) causes(r *jetpack.Report) {
	for i, c := range r.Causes {
		verdict, color := "warns", "33"
		if c.Verdict == jetpack.Fail {
			verdict, color = "fails", "31"
		}
		head := fmt.Sprintf("Cause %d  %s", i+1, printable(c.Name))
		fmt.Fprintf(&s.b, "\n%s: %s, %s\n", s.paint("1", head), s.paint(color, verdict), sureness(c.Sure))
		s.put("  ", c.Means)
		for _, row := range [][2]string{{"owner", c.Owner}, {"host", c.Host}, {"seen", strings.Join(c.Checks, ", ")}} {
			if row[1] != "" {
				s.put(fmt.Sprintf("  %-6s ", row[0]+":"), row[1])
			}
		}
	}
}

// sureness says how sure a cause is.
func sureness(sure cause.Sure) string {
	switch sure {
	case cause.Certain:
		return "certain"
	case cause.Possible:
		return "possible"
	}
	return "likely"
}

// stepColumns is the width of verdict and name of a step.
const stepColumns = 27

// findings writes what each step saw.
func (s *sheet) findings(r *jetpack.Report) {
	section := jetpack.Section(0)
	for _, f := range r.Findings {
		if f.Section != section {
			section = f.Section
			fmt.Fprintf(&s.b, "\n%s\n", s.paint("1", fmt.Sprintf("%d  %s", section, section)))
		}
		label, color := "pass", "32"
		switch f.Verdict {
		case jetpack.Warn:
			label, color = "WARN", "33"
		case jetpack.Fail:
			label, color = "FAIL", "31"
		case jetpack.Skipped:
			label, color = "skip", "2"
		}
		lines := fold(printable(f.Seen), s.width-stepColumns)
		fmt.Fprintf(&s.b, "  %s  %-18s %s\n", s.paint(color, label), f.Check, strings.Join(lines, "\n"+strings.Repeat(" ", stepColumns)))
		if f.Verdict == jetpack.Warn || f.Verdict == jetpack.Fail {
			s.meaning(r, &f)
		}
	}
}

// meaning writes what a finding means, as far as its cause does not say it.
func (s *sheet) meaning(r *jetpack.Report, f *jetpack.Finding) {
	var c jetpack.Cause
	i := slices.IndexFunc(r.Causes, func(c jetpack.Cause) bool { return c.Name == f.Cause })
	if i >= 0 {
		c = r.Causes[i]
		s.put(strings.Repeat(" ", stepColumns)+"see:    ", fmt.Sprintf("cause %d, %s", i+1, c.Name))
	}
	for _, row := range [][3]string{{"means", f.Means, c.Means}, {"owner", f.Do, c.Owner}, {"host", f.Host, c.Host}} {
		if row[1] != "" && row[1] != row[2] {
			s.put(fmt.Sprintf("%*s%-7s ", stepColumns, "", row[0]+":"), row[1])
		}
	}
}

func (s *sheet) conclusion(text string) {
	lines := fold(printable(text), s.width)
	fmt.Fprintf(&s.b, "\n%s\n", s.paint("1", strings.Join(lines, "\n")))
}

// fold splits a text into lines at blanks. Words longer than a line stay whole.
func fold(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Split(text, " ") {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = word
			continue
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
