package trial

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/parity"
)

// Table prints a report for people, with the first findings.
func Table(w io.Writer, r *parity.Report, first []Finding) error {
	var b strings.Builder
	if r.Watched()+r.Sites[parity.Unwatched] == 0 {
		b.WriteString("no shard is on trial: start a coordinator with --trial\n")
	}
	fmt.Fprintf(&b, "%-40s %9d\n", "sites compared", r.Watched())
	for _, line := range []struct {
		what string
		n    int
	}{
		{"  both call them up", r.Sites[parity.BothUp]},
		{"  both call them down", r.Sites[parity.BothDown]},
		{"  only v1 calls them down", r.Sites[parity.OnlyV1Down]},
		{"  only Jetmon calls them down", r.Sites[parity.OnlyOursDown]},
		{"sites not watched long enough, or at all", r.Sites[parity.Unwatched]},
		{"outages that only Jetmon saw", r.Alone},
	} {
		fmt.Fprintf(&b, "%-40s %9d\n", line.what, line.n)
	}
	if r.Watched() == 0 && r.Sites[parity.Unwatched] > 0 {
		b.WriteString("a site is compared once it has been on trial for twice its interval\n")
	}
	writeChanges(&b, r)
	if reasons := r.Reasons(); len(reasons) > 0 {
		b.WriteString("\nWhy only Jetmon calls sites down; WordPress.com will be told DOWN of them:\n")
		for _, why := range reasons {
			fmt.Fprintf(&b, "  %9d  %s\n", why.Sites, cause(why.Cause))
		}
	}
	if len(first) > 0 {
		b.WriteString("\nThe first sites that WordPress.com will hear of:\n")
		for _, f := range first {
			fmt.Fprintf(&b, "  %-5s %10d  %s  %s\n", tell(f.Agreement), f.ID, strconv.Quote(f.URL), why(&f))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeChanges writes who noticed changes first.
func writeChanges(b *strings.Builder, r *parity.Report) {
	fmt.Fprintf(b, "\n%-22s %9s %9s %9s %9s %12s %12s\n", "v1's last changes", "by both", "only v1", "Jetmon 1st", "v1 first", "median lead", "90 % lead")
	for _, line := range []struct {
		what string
		c    *parity.Changes
	}{{"  down", &r.Down}, {"  up again", &r.Up}} {
		fmt.Fprintf(b, "%-22s %9d %9d %9d %9d %12s %12s\n", line.what, line.c.Both, line.c.OnlyV1, line.c.Earlier, line.c.Later,
			line.c.Lead(0.5), line.c.Lead(0.9))
	}
}

// cause describes a cause in a few words.
func cause(c parity.Cause) string {
	text := c.Failure.String()
	if c.HTTPStatus != 0 {
		text += fmt.Sprintf(", HTTP status %d", c.HTTPStatus)
	}
	if c.Reason != "" && c.Reason != fmt.Sprintf("http_%d", c.HTTPStatus) {
		text += ", " + c.Reason
	}
	return text
}

// tell is what WordPress.com will be told.
func tell(a parity.Agreement) string {
	if a == parity.OnlyOursDown {
		return "DOWN"
	}
	return "UP"
}

// why describes why v1 and we do not agree.
func why(f *Finding) string {
	if f.Agreement == parity.OnlyOursDown {
		return fmt.Sprintf("down since %s: %s", clock(f.Ours.Since), cause(f.Cause))
	}
	return fmt.Sprintf("v1 has it as down since %s, and it is up", clock(f.V1.Since))
}

// clock returns a time in UTC, "ever" for the zero time.
func clock(at time.Time) string {
	if at.IsZero() {
		return "ever"
	}
	return at.UTC().Format(time.RFC3339)
}

// summary is a report in JSON.
type summary struct {
	Compared     int           `json:"sites_compared"`
	BothUp       int           `json:"both_up"`
	BothDown     int           `json:"both_down"`
	OnlyV1Down   int           `json:"only_v1_down"`
	OnlyOursDown int           `json:"only_jetmon_down"`
	Unwatched    int           `json:"not_watched"`
	Alone        int           `json:"outages_only_jetmon_saw"`
	Down         changes       `json:"down"`
	Up           changes       `json:"up"`
	Reasons      []reasonCount `json:"reasons"`
}

type changes struct {
	Both    int     `json:"both"`
	OnlyV1  int     `json:"only_v1"`
	Earlier int     `json:"jetmon_first"`
	Later   int     `json:"v1_first"`
	Median  float64 `json:"median_lead_seconds"`
	P90     float64 `json:"p90_lead_seconds"`
}

type reasonCount struct {
	Failure    string `json:"failure"`
	Reason     string `json:"reason,omitempty"`
	HTTPStatus int    `json:"http_status,omitempty"`
	Sites      int    `json:"sites"`
}

func changesOf(c *parity.Changes) changes {
	return changes{c.Both, c.OnlyV1, c.Earlier, c.Later, c.Lead(0.5).Seconds(), c.Lead(0.9).Seconds()}
}

func summaryOf(r *parity.Report) summary {
	s := summary{
		Compared: r.Watched(), BothUp: r.Sites[parity.BothUp], BothDown: r.Sites[parity.BothDown],
		OnlyV1Down: r.Sites[parity.OnlyV1Down], OnlyOursDown: r.Sites[parity.OnlyOursDown], Unwatched: r.Sites[parity.Unwatched],
		Alone: r.Alone, Down: changesOf(&r.Down), Up: changesOf(&r.Up), Reasons: []reasonCount{},
	}
	for _, why := range r.Reasons() {
		s.Reasons = append(s.Reasons, reasonCount{why.Cause.Failure.String(), why.Cause.Reason, why.Cause.HTTPStatus, why.Sites})
	}
	return s
}

// siteRow is a finding in JSON.
type siteRow struct {
	Site       int64  `json:"site_id"`
	Blog       int64  `json:"blog_id"`
	Bucket     int    `json:"bucket"`
	URL        string `json:"monitor_url"`
	Tell       string `json:"will_be_told"`
	V1Status   int    `json:"v1_status"`
	V1Since    string `json:"v1_since,omitempty"`
	OurStatus  int    `json:"jetmon_status"`
	OurSince   string `json:"jetmon_since,omitempty"`
	Failure    string `json:"failure,omitempty"`
	Reason     string `json:"reason,omitempty"`
	HTTPStatus int    `json:"http_status,omitempty"`
}

func rowOf(f *Finding) siteRow {
	row := siteRow{
		Site: int64(f.ID), Blog: int64(f.BlogID), Bucket: int(f.Bucket), URL: f.URL, Tell: tell(f.Agreement),
		V1Status: int(f.V1.Status), OurStatus: int(f.Ours.Status), Reason: f.Cause.Reason, HTTPStatus: f.Cause.HTTPStatus,
	}
	if f.Agreement == parity.OnlyOursDown {
		row.Failure = f.Cause.Failure.String()
	}
	if !f.V1.Since.IsZero() {
		row.V1Since = clock(f.V1.Since)
	}
	if !f.Ours.Since.IsZero() {
		row.OurSince = clock(f.Ours.Since)
	}
	return row
}

// JSON prints findings as they come: one object, with the sites first and the report last.
type JSON struct {
	w    io.Writer
	some bool
}

// NewJSON begins the object.
func NewJSON(w io.Writer) (*JSON, error) {
	_, err := io.WriteString(w, `{"sites":[`)
	return &JSON{w: w}, err
}

// Found prints a finding.
func (j *JSON) Found(f *Finding) error {
	line, err := json.Marshal(rowOf(f))
	if err != nil {
		return err
	}
	comma := "\n"
	if j.some {
		comma = ",\n"
	}
	j.some = true
	_, err = fmt.Fprintf(j.w, "%s%s", comma, line)
	return err
}

// End prints the report and ends the object.
func (j *JSON) End(r *parity.Report) error {
	text, err := json.Marshal(summaryOf(r))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(j.w, "\n],\n\"report\":%s}\n", text)
	return err
}

// CSV prints findings as they come, after a line with the names of the columns.
type CSV struct{ w *csv.Writer }

// NewCSV prints the first line.
func NewCSV(w io.Writer) (*CSV, error) {
	c := &CSV{csv.NewWriter(w)}
	return c, c.w.Write([]string{
		"site_id", "blog_id", "bucket", "monitor_url", "will_be_told", "v1_status", "v1_since",
		"jetmon_status", "jetmon_since", "failure", "http_status", "reason",
	})
}

// Found prints a finding.
func (c *CSV) Found(f *Finding) error {
	r := rowOf(f)
	status := ""
	if r.HTTPStatus != 0 {
		status = strconv.Itoa(r.HTTPStatus)
	}
	return c.w.Write([]string{
		strconv.FormatInt(r.Site, 10), strconv.FormatInt(r.Blog, 10), strconv.Itoa(r.Bucket), inert(r.URL), r.Tell,
		strconv.Itoa(r.V1Status), r.V1Since, strconv.Itoa(r.OurStatus), r.OurSince, r.Failure, status, inert(r.Reason),
	})
}

// End writes what is left.
func (c *CSV) End() error {
	c.w.Flush()
	return c.w.Error()
}

// inert keeps a spreadsheet from taking a text of a stranger for a formula.
func inert(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
