// Package symptom leads from the words that a site's owner sees to the steps of a diagnosis
// that can explain them. It has the table of symptoms, and finds a row of it by its words;
// internal/jetpack puts it beside a report, and docs/why-jetpack.md has the same rows.
//
// It does no I/O.
package symptom

import (
	"strings"
	"unicode"
)

// Symptom is something that owners see, and search for.
type Symptom struct {
	// Name is stable, for programs and command lines.
	Name string
	// Words are what is on the screen or in a log; the first is shown.
	Words []string
	// Means is what the words say about the way between the site and WordPress.com.
	Means string
	// Steps bear on it, the most usual reason first.
	Steps []Step
	// Else is what to do when no step fails.
	Else string
}

// Step is a step of a diagnosis that bears on a symptom.
type Step struct {
	// Check is the step's name in a report.
	Check string
	// Well is what is so, and does not explain the symptom, when the step passes.
	Well string
}

// Find finds the symptom that a text names or describes: its name, its words, or most of
// them.
func Find(text string) (Symptom, bool) {
	given := normal(text)
	if given == "" {
		return Symptom{}, false
	}
	best, most := Symptom{}, 0.0
	for _, s := range All() {
		if given == normal(s.Name) {
			return s, true
		}
		for _, words := range s.Words {
			if score := alike(given, normal(words)); score > most {
				best, most = s, score
			}
		}
	}
	return best, most >= leastAlike
}

// leastAlike is the part of the words that must be the same.
const leastAlike = 0.6

// alike compares two normal texts: 1 when one contains the other, else the part of the words
// of both that they share.
func alike(a, b string) float64 {
	if a == b {
		return 2
	}
	if len(a) >= 8 && strings.Contains(" "+b+" ", " "+a+" ") || strings.Contains(" "+a+" ", " "+b+" ") {
		return 1
	}
	have := map[string]bool{}
	for _, word := range strings.Fields(b) {
		have[word] = true
	}
	shared, words := 0, strings.Fields(a)
	seen := map[string]bool{}
	for _, word := range words {
		if have[word] && !seen[word] {
			shared++
		}
		seen[word] = true
	}
	if shared < 2 {
		return 0 // one word says nothing
	}
	return 2 * float64(shared) / float64(len(seen)+len(have))
}

// normal leaves letters and digits of a text, in lower case and with single blanks.
func normal(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), " ")
}
