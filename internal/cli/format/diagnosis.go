package format

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack"
)

// textWidth is the width at which text wraps.
const textWidth = 110

// Diagnosis writes the report on a site, in colours if color is set.
func Diagnosis(w io.Writer, r *jetpack.Report, color bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", printable(r.URL), r.Took.Round(time.Millisecond))
	writeFindings(&b, paint(color), r)
	_, err := io.WriteString(w, b.String())
	return err
}

// paint returns a function that colours texts, or leaves them unchanged.
func paint(color bool) func(color, text string) string {
	if !color {
		return func(_, text string) string { return text }
	}
	return func(color, text string) string { return "\x1b[" + color + "m" + text + "\x1b[0m" }
}

// writeFindings writes sections, findings and the conclusion.
func writeFindings(b *strings.Builder, paint func(color, text string) string, r *jetpack.Report) {
	section := jetpack.Section(0)
	for _, f := range r.Findings {
		if f.Section != section {
			section = f.Section
			fmt.Fprintf(b, "\n%s\n", paint("1", fmt.Sprintf("%d  %s", section, section)))
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
		lines := wrap(fmt.Sprintf("%-18s %s", f.Check, printable(f.Seen)), textWidth-8)
		fmt.Fprintf(b, "  %s  %s\n", paint(color, label), strings.Join(lines, "\n"+strings.Repeat(" ", 27)))
		if f.Verdict != jetpack.Warn && f.Verdict != jetpack.Fail {
			continue
		}
		for _, row := range [][2]string{{"means", f.Means}, {"do", f.Do}, {"host", f.Host}} {
			if row[1] != "" {
				lines := wrap(printable(row[1]), textWidth-35)
				fmt.Fprintf(b, "%27s%-7s %s\n", "", row[0]+":", strings.Join(lines, "\n"+strings.Repeat(" ", 35)))
			}
		}
	}
	fmt.Fprintf(b, "\n%s\n", paint("1", printable(r.Conclusion)))
}

// wrap splits a text into lines at blanks.
func wrap(text string, width int) []string {
	var lines []string
	for len(text) > width {
		at := strings.LastIndexByte(text[:width], ' ')
		if at <= width/3 {
			break
		}
		lines = append(lines, text[:at])
		text = text[at+1:]
		width = textWidth - 35
	}
	return append(lines, text)
}
