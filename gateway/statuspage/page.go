// Package statuspage draws the public status page of a group of sites: HTML without a script, of
// which every value is text. It knows nothing of where the values come from.
package statuspage

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"
)

//go:embed page.html page.css
var files embed.FS

// Page is what a page says.
type Page struct {
	Title string
	// At is when it was so.
	At    time.Time
	Sites []Site
	// Cut means that there are more sites than a page shows.
	Cut bool
	// Past are outages that are over, the latest first.
	Past []Outage
	// Works are the maintenances that are open or to come.
	Works []Work
}

// Site is one site of a page.
type Site struct {
	Name  string
	State State
	// Since is when the present outage began; zero when there is none, or it is not known.
	Since time.Time
	// Uptime is that of all days, in words; "" when nobody knows.
	Uptime string
	// Days are the last ones, the oldest first.
	Days []Day
}

// State is how a site is.
type State uint8

// The states.
const (
	Unknown State = iota
	Up
	Down
	Paused
	Maintained
)

// Day is how a day was.
type Day struct {
	Date time.Time
	// Known means that somebody looked.
	Known bool
	Down  time.Duration
}

// Outage is one that is over, of one site or of several at once.
type Outage struct {
	Names      []string
	Start, End time.Time
}

// Who names the sites, some of them where there are many.
func (o Outage) Who() string {
	const most = 4
	switch n := len(o.Names); {
	case n <= 1:
		return strings.Join(o.Names, "") + " was"
	case n <= most:
		return strings.Join(o.Names[:n-1], ", ") + " and " + o.Names[n-1] + " were"
	default:
		return fmt.Sprintf("%s and %d other sites were", strings.Join(o.Names[:most-1], ", "), n-most+1)
	}
}

// Work is planned work.
type Work struct{ Start, End time.Time }

const (
	barWidth, barGap       = 4, 2
	barHigh, barUp, barNot = 32, 24, 6
)

var (
	page = template.Must(template.New("page.html").Funcs(template.FuncMap{
		"time": utc, "machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) }, "span": span,
		"word": State.word, "shape": State.shape, "tone": State.tone, "bars": bars, "sum": sum,
		"style": func() template.CSS { return template.CSS(style()) },
	}).ParseFS(files, "page.html"))
)

// Policy is the Content-Security-Policy of a page: nothing but its own style.
func Policy() string {
	hash := sha256.Sum256([]byte(style()))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// style is that of all pages.
func style() string {
	raw, err := files.ReadFile("page.css")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(raw)
}

// HTML draws a page.
func (p Page) HTML() ([]byte, error) {
	var out bytes.Buffer
	err := page.Execute(&out, p)
	return out.Bytes(), err
}

// All says in a sentence how all sites are together.
func (p Page) All() string {
	down, unknown := 0, 0
	for _, s := range p.Sites {
		switch s.State {
		case Down:
			down++
		case Unknown:
			unknown++
		}
	}
	switch {
	case len(p.Sites) == 0:
		return "No site is shown here yet."
	case down == 0 && unknown == len(p.Sites):
		return "Nobody knows yet how these sites are."
	case down == 0:
		return "All is well."
	case down == 1:
		return "One site is down."
	}
	return fmt.Sprintf("%d sites are down.", down)
}

// Worst is how the worst of all sites is, for the shape beside All.
func (p Page) Worst() State {
	worst := Unknown
	for _, s := range p.Sites {
		switch {
		case s.State == Down:
			return Down
		case s.State != Unknown:
			worst = Up
		}
	}
	return worst
}

func (s State) word() string {
	return [...]string{"not known", "up", "down", "paused", "in maintenance"}[s]
}

func (s State) shape() string { return [...]string{"○", "●", "▼", "‖", "◆"}[s] }

func (s State) tone() string { return [...]string{"quiet", "good", "bad", "quiet", "fair"}[s] }

func utc(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }

// span writes how long something took: "1 min", "2 h 5 min", "3 days".
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch minutes := int((d + time.Minute - 1) / time.Minute); {
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case minutes >= 120 && minutes%60 != 0:
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	case minutes >= 120:
		return fmt.Sprintf("%d h", minutes/60)
	default:
		return fmt.Sprintf("%d min", max(1, minutes))
	}
}

// bar is the drawing of a day. How it was tells its height, besides its colour.
type bar struct {
	X, Y, Width, Height int
	Kind, Words         string
}

// drawing are the bars of all days.
type drawing struct {
	Width, Height int
	Bars          []bar
}

func bars(days []Day) drawing {
	d := drawing{Width: max(1, len(days)*(barWidth+barGap)), Height: barHigh}
	for i, day := range days {
		b := bar{X: i * (barWidth + barGap), Width: barWidth, Height: barNot, Kind: "none", Words: "nobody looked"}
		switch {
		case day.Down > 0:
			b.Height, b.Kind, b.Words = barHigh, "down", "down for "+span(day.Down)
		case day.Known:
			b.Height, b.Kind, b.Words = barUp, "up", "up"
		}
		b.Y, b.Words = barHigh-b.Height, day.Date.Format("2 Jan 2006")+": "+b.Words
		d.Bars = append(d.Bars, b)
	}
	return d
}

// sum says in words what the bars show.
func sum(s Site) string {
	var down []string
	known := 0
	for _, d := range s.Days {
		if d.Known || d.Down > 0 {
			known++
		}
		if d.Down > 0 {
			down = append(down, d.Date.Format("2 Jan")+" ("+span(d.Down)+")")
		}
	}
	said := fmt.Sprintf("%s, the last %d days: looked at on %d", s.Name, len(s.Days), known)
	if len(down) == 0 {
		return said + ", never down."
	}
	return said + ", down on " + strings.Join(down, ", ") + "."
}
