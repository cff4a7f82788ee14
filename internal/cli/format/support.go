package format

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack"
)

// maxSupport bounds what is sent to support, in bytes.
const maxSupport = 64 << 10

// About is the origin of a diagnosis.
type About struct {
	// Version is that of Jetmon, UserAgent that of its calls.
	Version, UserAgent string
	// Tokens names the kinds of tokens that were given, empty for none.
	Tokens string
}

// inert keeps a site's text from being links, pictures or HTML where Markdown is shown.
var inert = strings.NewReplacer(`\`, `\\`, "`", "\\`", "[", `\[`, "]", `\]`, "<", `\<`)

// Support writes what a site's owner can send to support or to a host: the causes, and each
// step with its evidence. It has no secrets, and is at most 64 KiB of Markdown.
func Support(w io.Writer, r *jetpack.Report, a *jetpack.Answered, about About) error {
	var b strings.Builder
	line := func(format string, args ...any) {
		for i, a := range args {
			if s, ok := a.(string); ok {
				args[i] = inert.Replace(s)
			}
		}
		fmt.Fprintf(&b, "%s\n", printable(fmt.Sprintf(format, args...)))
	}
	line("# Jetmon's diagnosis of %s", r.URL)
	b.WriteString("\n")
	for _, row := range [][2]string{
		{"Asked about", r.Given}, {"Started", r.Start.UTC().Format(time.RFC3339)}, {"Took", r.Took.Round(time.Millisecond).String()},
		{"Requests", strconv.Itoa(r.Requests)}, {"Made by", about.Version}, {"Called from", orNone(r.From, "no connection was made")},
		{"User agent", about.UserAgent}, {"Tokens", orNone(about.Tokens, "none: nothing was signed")},
	} {
		if row[1] != "" {
			line("- %-12s %s", row[0]+":", row[1])
		}
	}
	if a != nil {
		line("- On the screen: %q", a.Words)
	}
	b.WriteString("\n## Conclusion\n\n")
	line("%s", r.Conclusion)
	if len(r.Causes) > 0 {
		b.WriteString("\n## Causes, the most probable first\n\n")
	}
	for i, c := range r.Causes {
		line("%d. %s (%s, %s; seen by %s)", i+1, c.Name, c.Verdict, sureness(c.Sure), strings.Join(c.Checks, ", "))
		for _, row := range [][2]string{{"Means", c.Means}, {"Owner", c.Owner}, {"Host", c.Host}} {
			if row[1] != "" {
				line("   - %s: %s", row[0], row[1])
			}
		}
	}
	section := jetpack.Section(0)
	for _, f := range r.Findings {
		if f.Section != section {
			section = f.Section
			fmt.Fprintf(&b, "\n## %d. %s\n\n", section, section)
		}
		line("- %-7s %s: %s", f.Verdict, f.Check, f.Seen)
	}
	const end = "\n## For the reader\n\nTimes are UTC, by the clock of the machine that called. Its address and user agent find the requests in the server's logs; behind NAT the address is another one there. Tokens and signatures are left out.\n"
	text := b.String()
	if most := maxSupport - len(end) - 100; len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "\n\n(The rest is left out: the report would be too long.)\n"
	}
	_, err := io.WriteString(w, text+end)
	return err
}

func orNone(text, none string) string {
	if text == "" {
		return none
	}
	return text
}
