package format

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// maxExamples is how many sites of a cause are named, and maxExplained how many causes are
// explained below the table.
const (
	maxExamples  = 3
	maxExplained = 10
)

// Crowd sums up the diagnoses of many sites.
type Crowd struct {
	// Sites is how many were to be diagnosed, Done how many were; Refused counts lines of the
	// file that are no site.
	Sites, Done, Refused int
	// Failing is how many sites have a finding that fails, Warning how many of the others have
	// one that warns.
	Failing, Warning int
	// Unknown is how many sites cannot be judged for a reason on our side.
	Unknown int

	causes map[string]*crowdCause
}

// crowdCause is a cause, and the sites that have it.
type crowdCause struct {
	jetpack.Cause
	// first is how many sites have it as their most probable cause, beside how many more have
	// it beside another.
	first, beside int
	// examples are the first of those sites by URL, so that two runs name the same ones.
	examples []string
}

// Add adds the diagnosis of a site.
func (c *Crowd) Add(r *jetpack.Report) {
	c.Done++
	switch worst := r.Worst(); {
	case len(r.Causes) > 0 && r.Causes[0].Weight <= cause.Ours:
		c.Unknown++
	case worst == jetpack.Fail:
		c.Failing++
	case worst == jetpack.Warn:
		c.Warning++
	}
	if c.causes == nil {
		c.causes = map[string]*crowdCause{}
	}
	for i, found := range r.Causes {
		k, ok := c.causes[found.Name]
		if !ok {
			k = &crowdCause{Cause: found}
			c.causes[found.Name] = k
		}
		if found.Verdict == jetpack.Fail {
			k.Verdict = jetpack.Fail
		}
		if i > 0 {
			k.beside++
			continue
		}
		k.first++
		at, _ := slices.BinarySearch(k.examples, r.Given)
		k.examples = slices.Insert(k.examples, at, r.Given)
		k.examples = k.examples[:min(len(k.examples), maxExamples)]
	}
}

// Worst is the worst verdict of all sites.
func (c *Crowd) Worst() jetpack.Verdict {
	switch {
	case c.Failing > 0:
		return jetpack.Fail
	case c.Warning > 0:
		return jetpack.Warn
	}
	return jetpack.Pass
}

// Write writes how many sites are well, a table of causes, the most frequent first, what to
// do about each, and whether it is one cause.
func (c *Crowd) Write(w io.Writer, style Style) error {
	s := sheet{paint: paint(style.Color), width: min(maxWidth, max(minWidth, cmp.Or(style.Width, textWidth)))}
	text := fmt.Sprintf("%s: %d well, %d with warnings, %d with failures", Count(c.Done, "site"), c.Done-c.Failing-c.Warning-c.Unknown, c.Warning, c.Failing)
	if c.Unknown > 0 {
		text += fmt.Sprintf(", %d unknown for a reason on our side", c.Unknown)
	}
	if left := c.Sites - c.Done; left > 0 {
		text += fmt.Sprintf(", %d not diagnosed", left)
	}
	if c.Refused > 0 {
		text += "; " + Count(c.Refused, "line") + " refused"
	}
	s.b.WriteString(text + "\n")
	all := c.sorted()
	if len(all) > 0 {
		fmt.Fprintf(&s.b, "\n%s\n", s.paint("1", fmt.Sprintf("%-24s %-5s %6s %6s %7s", "CAUSE", "", "SITES", "SHARE", "BESIDE")))
	}
	for _, k := range all {
		verdict, color := "warns", "33"
		if k.Verdict == jetpack.Fail {
			verdict, color = "fails", "31"
		}
		fmt.Fprintf(&s.b, "%-24s %s %6d %4d %% %7d\n", printable(k.Name), s.paint(color, verdict), k.first, 100*k.first/max(1, c.Done), k.beside)
	}
	for _, k := range all[:min(len(all), maxExplained)] {
		fmt.Fprintf(&s.b, "\n%s\n", s.paint("1", printable(k.Name)))
		s.put("  ", k.Means)
		for _, row := range [][2]string{{"owner", k.Owner}, {"host", k.Host}, {"sites", k.sites()}} {
			if row[1] != "" {
				s.put(fmt.Sprintf("  %-6s ", row[0]+":"), row[1])
			}
		}
	}
	s.conclusion(c.conclusion(all))
	_, err := io.WriteString(w, s.b.String())
	return err
}

func (k *crowdCause) sites() string {
	text := strings.Join(k.examples, " ")
	if more := k.first - len(k.examples); more > 0 && len(k.examples) > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// sorted returns the causes: those that fail first, then the most frequent.
func (c *Crowd) sorted() []*crowdCause {
	var all []*crowdCause
	for _, k := range c.causes {
		all = append(all, k)
	}
	rank := map[jetpack.Verdict]int{jetpack.Warn: 1}
	slices.SortFunc(all, func(a, b *crowdCause) int {
		return cmp.Or(rank[a.Verdict]-rank[b.Verdict], b.first-a.first, b.beside-a.beside, strings.Compare(a.Name, b.Name))
	})
	return all
}

// conclusion says whether it is one cause, of the sites that fail, or of those with warnings
// when none fails.
func (c *Crowd) conclusion(all []*crowdCause) string {
	ill, how := c.Failing, "that fail"
	if ill == 0 {
		ill, how = c.Warning, "with warnings"
	}
	switch {
	case c.Done == 0:
		return "No site was diagnosed."
	case len(all) == 0:
		return "Nothing wrong was found on any site."
	case c.Failing+c.Warning == 0:
		return "Nothing wrong was found on any site that could be judged."
	}
	first, kinds := all[0], 0
	for _, k := range all {
		if k.first > 0 && k.Verdict == first.Verdict {
			kinds++
		}
	}
	switch {
	case ill == 1:
		return "Only one of the sites is among those " + how + ": " + first.Name + "."
	case first.first >= ill:
		return fmt.Sprintf("It is one cause: %s, on all %d sites %s.", first.Name, ill, how)
	case 10*first.first >= 8*ill:
		return fmt.Sprintf("It is mostly one cause: %s, on %d of %d sites %s.", first.Name, first.first, ill, how)
	}
	return fmt.Sprintf("It is not one cause: %d causes on %d sites %s; the most frequent is %s, on %d.", kinds, ill, how, first.Name, first.first)
}
