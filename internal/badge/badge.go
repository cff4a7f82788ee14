// Package badge draws badges: a label and a message beside each other, as people put them on
// status pages and into READMEs.
//
// A drawing is one SVG without scripts, styles, links and anything that it would load, so that it
// shows the same in an img element, inside a page and alone. The package is pure: the same words
// give the same bytes.
package badge

import (
	"fmt"
	"strings"
)

// Tone says how good it is what a badge tells, and so which colour the message has.
type Tone uint8

// The tones.
const (
	Neutral Tone = iota
	Good
	Fair
	Poor
	Bad
)

// The colours behind the texts, which are white: each has a contrast of 4.5 or more, which is
// what people who see less well need.
const labelColour = "#444"

func (t Tone) colour() string {
	switch t {
	case Good:
		return "#2e7d32"
	case Fair:
		return "#72700f"
	case Poor:
		return "#b45309"
	case Bad:
		return "#c62828"
	}
	return "#6b7280"
}

// The measures, in pixels.
const (
	height   = 20
	padding  = 6
	radius   = 3
	fontSize = 11
	baseline = 14
	// mostText bounds the characters of a text that is drawn.
	mostText = 64
)

// Draw returns the SVG of a badge. Characters that are not printable ASCII are drawn as "?", and
// a long text is cut.
func Draw(label, message string, tone Tone) []byte {
	label, message = plain(label), plain(message)
	left, right := width(label), width(message)
	l, all := left+2*padding, left+right+4*padding
	name := escape(label + ": " + message)
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="%[3]s"><title>%[3]s</title>`+
		`<path fill="%[4]s" d="M%[6]d 0H%[5]dV%[2]dH%[6]da%[6]d %[6]d 0 0 1-%[6]d-%[6]dV%[6]da%[6]d %[6]d 0 0 1 %[6]d-%[6]dz"/>`+
		`<path fill="%[7]s" d="M%[5]d 0H%[8]da%[6]d %[6]d 0 0 1 %[6]d %[6]dV%[9]da%[6]d %[6]d 0 0 1-%[6]d %[6]dH%[5]dz"/>`+
		`<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="%[10]d">%[11]s%[12]s</g></svg>`+"\n",
		all, height, name, labelColour, l, radius, tone.colour(), all-radius, height-radius, fontSize,
		text(label, padding, left), text(message, l+padding, right))
}

// text draws a text from x on. Its length is fixed, so that it fits in every font.
func text(s string, x, width int) string {
	return fmt.Sprintf(`<text x="%d" y="%d" textLength="%d" lengthAdjust="spacingAndGlyphs">%s</text>`, x, baseline, width, escape(s))
}

// plain returns the text that is drawn.
func plain(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r < ' ' || r > '~' {
			out[i] = '?'
		}
	}
	return string(out[:min(len(out), mostText)])
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(s)
}
