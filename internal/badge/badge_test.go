package badge

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
)

// A page that shows a badge depends on these bytes: a change of them is seen by everybody.
func TestABadge(t *testing.T) {
	t.Parallel()
	const want = `<svg xmlns="http://www.w3.org/2000/svg" width="132" height="20" viewBox="0 0 132 20" role="img" aria-label="uptime 30d: 99.98%"><title>uptime 30d: 99.98%</title>` +
		`<path fill="#444" d="M3 0H76V20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z"/><path fill="#2e7d32" d="M76 0H129a3 3 0 0 1 3 3V17a3 3 0 0 1-3 3H76z"/>` +
		`<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11"><text x="6" y="14" textLength="64" lengthAdjust="spacingAndGlyphs">uptime 30d</text>` +
		`<text x="82" y="14" textLength="44" lengthAdjust="spacingAndGlyphs">99.98%</text></g></svg>` + "\n"
	if got := string(Draw("uptime 30d", "99.98%", Good)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhateverTheWordsABadgeIsXMLWithoutAnythingThatActs(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"", "up", `<script>alert("1")</script>`, "&amp;'\"", "\x00\x1b]\n", "größer ⚠", "\xff\xfe", strings.Repeat("W", 1000), "]]>", "<!-- --"} {
		raw := Draw(words, words, Bad)
		if len(raw) > 4096 {
			t.Errorf("%q: %d bytes", words, len(raw))
		}
		title, texts, err := parse(raw)
		if err != nil {
			t.Errorf("%q: %v\n%s", words, err, raw)
			continue
		}
		if want := plain(words); title != want+": "+want || texts != want+want {
			t.Errorf("%q: the title is %q, the texts %q", words, title, texts)
		}
	}
}

// parse returns the texts of a drawing, and refuses what it need not have.
func parse(raw []byte) (title, texts string, err error) {
	d := xml.NewDecoder(strings.NewReader(string(raw)))
	inside := ""
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return title, texts, nil
		case err != nil:
			return "", "", err
		}
		switch x := token.(type) {
		case xml.StartElement:
			inside = x.Name.Local
			if !strings.Contains(" svg title path g text ", " "+inside+" ") {
				return "", "", fmt.Errorf("it has an element %s", inside)
			}
			for _, a := range x.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Name.Local, "href") || a.Name.Local == "style" || strings.Contains(a.Value, "url(") {
					return "", "", fmt.Errorf("it has an attribute %s", a.Name.Local)
				}
			}
		case xml.CharData:
			switch inside {
			case "title":
				title += string(x)
			case "text":
				texts += string(x)
			}
		case xml.EndElement:
			inside = ""
		}
	}
}

// White on each colour can be read: WCAG 2.2, contrast 4.5 or more.
func TestTextsCanBeRead(t *testing.T) {
	t.Parallel()
	for _, colour := range []string{"#444444", Neutral.colour(), Good.colour(), Fair.colour(), Poor.colour(), Bad.colour()} {
		light := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			if c := float64(n) / 255; c <= 0.04045 {
				light += weight * c / 12.92
			} else {
				light += weight * math.Pow((c+0.055)/1.055, 2.4)
			}
		}
		if contrast := 1.05 / (light + 0.05); contrast < 4.5 {
			t.Errorf("white on %s has a contrast of %.2f", colour, contrast)
		}
	}
}

func TestLongerWordsAreWider(t *testing.T) {
	t.Parallel()
	if len(advances) != '~'-' '+1 {
		t.Fatalf("%d characters have a width", len(advances))
	}
	if i, w := width("iiii"), width("WWWW"); i >= w || width("") != 0 {
		t.Errorf("iiii is %d wide, WWWW %d, nothing %d", i, w, width(""))
	}
}
