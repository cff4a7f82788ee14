package format

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/accesslog"
	"github.com/Automattic/jetmon/internal/jetpack/jetpackpb"
	"github.com/Automattic/jetmon/internal/restjson"
)

// Logs writes the report on the logs titled name, in colours if color is set.
func Logs(w io.Writer, name string, r *jetpack.LogReport, color bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", printable(name), r.Took.Round(time.Millisecond))
	writeSizes(&b, &r.Access)
	writeURLs(&b, "Called most", r.Access.Frequent, r.Buffers.Bytes())
	writeURLs(&b, "Largest responses", r.Access.Large, r.Buffers.Bytes())
	writeFindings(&b, paint(color), &r.Report)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeSizes writes the two numbers of the founding article by its own rule, and beside them
// those of all responses that PHP made: a path without .php is PHP's too.
func writeSizes(b *strings.Builder, s *accesslog.Summary) {
	if s.Dynamic.Count == 0 {
		return
	}
	fmt.Fprintf(b, "\nSizes of responses, in bytes\n  %10s %10s %10s %10s %10s\n", "count", "MAX", "AVG", "median", "99 %")
	for _, row := range []struct {
		sizes *accesslog.Sizes
		name  string
	}{{&s.Founding, "status 200 and .php in the URL (as the usual awk counts)"}, {&s.Dynamic, "all that PHP made"}} {
		fmt.Fprintf(b, "  %10d %10d %10d %10d %10d  %s\n", row.sizes.Count, row.sizes.Max, row.sizes.Average(), row.sizes.Percentile(50), row.sizes.Percentile(99), row.name)
	}
	b.WriteString("  The average misleads: one response that is too large is enough, and most are small.\n")
}

// writeURLs writes a table of URLs; a star marks a maximum that does not fit.
func writeURLs(b *strings.Builder, title string, urls []accesslog.URL, buffers int64) {
	if len(urls) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n  %10s %10s %10s %10s %10s %10s  %s\n", title, "count", "average", "median", "90 %", "99 %", "maximum", "path")
	for _, u := range urls {
		star := " "
		if u.Dynamic && u.Sizes.Max > buffers {
			star = "*"
		}
		fmt.Fprintf(b, "  %10d %10d %10d %10d %10d %10d%s %s\n", u.Count, u.Sizes.Average(), u.Sizes.Percentile(50),
			u.Sizes.Percentile(90), u.Sizes.Percentile(99), u.Sizes.Max, star, printable(u.Path))
	}
}

// LogsJSON writes the report on logs as JSON for programs.
func LogsJSON(w io.Writer, r *jetpack.LogReport) error {
	diagnosis, err := restjson.Line(jetpackpb.DiagnosisToProto(&r.Report))
	if err != nil {
		return fmt.Errorf("encode the diagnosis: %w", err)
	}
	report := logsToJSON(r)
	report.Diagnosis = diagnosis
	return value(w, report)
}

// logsJSON is the report on logs for programs: the findings in the API's form, and the
// numbers behind them.
type logsJSON struct {
	Diagnosis json.RawMessage `json:"diagnosis"`
	Requests  uint64          `json:"requests"`
	BadLines  uint64          `json:"bad_lines"`
	Buffers   string          `json:"fastcgi_buffers"`
	Proposed  string          `json:"proposed_fastcgi_buffers,omitempty"`
	Over      uint64          `json:"responses_over_buffers"`
	Server    string          `json:"server,omitempty"`
	Dynamic   sizesJSON       `json:"dynamic_responses"`
	Founding  sizesJSON       `json:"php_responses_with_status_200"`
	Frequent  []urlJSON       `json:"frequent_urls"`
	Large     []urlJSON       `json:"large_urls"`
	Calls     callsJSON       `json:"jetpack_calls"`
	Errors    []errorJSON     `json:"error_groups"`
}

type sizesJSON struct {
	Count   uint64 `json:"count"`
	Average int64  `json:"average_bytes"`
	Median  int64  `json:"p50_bytes"`
	P90     int64  `json:"p90_bytes"`
	P99     int64  `json:"p99_bytes"`
	Max     int64  `json:"max_bytes"`
}

type urlJSON struct {
	Path  string    `json:"path"`
	Count uint64    `json:"count"`
	Sizes sizesJSON `json:"responses"`
}

type callsJSON struct {
	Count    uint64         `json:"count"`
	Statuses map[int]uint64 `json:"statuses"`
	Agents   []agentJSON    `json:"user_agents"`
	Signed   uint64         `json:"signed"`
	Replays  uint64         `json:"nonce_replays"`
	Relayed  uint64         `json:"relayed"`
	Times    *timesJSON     `json:"response_times,omitempty"`
}

type timesJSON struct {
	Count  uint64  `json:"count"`
	Median float64 `json:"p50_seconds"`
	P99    float64 `json:"p99_seconds"`
	Max    float64 `json:"max_seconds"`
}

type agentJSON struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
	Good  uint64 `json:"good"`
}

type errorJSON struct {
	Kind     string   `json:"kind"`
	Count    uint64   `json:"count"`
	Jetpack  uint64   `json:"about_jetpack"`
	Culprits []string `json:"culprits"`
	Example  string   `json:"example"`
}

// logsToJSON converts everything except the diagnosis.
func logsToJSON(r *jetpack.LogReport) logsJSON {
	out := logsJSON{
		Requests: r.Access.Good, BadLines: r.Access.Bad, Buffers: r.Buffers.String(), Over: r.Access.Over,
		Server: string(r.Server), Founding: sizesToJSON(&r.Access.Founding),
		Dynamic: sizesToJSON(&r.Access.Dynamic), Frequent: urlsToJSON(r.Access.Frequent), Large: urlsToJSON(r.Access.Large),
		Calls:  callsToJSON(&r.Access.Calls),
		Errors: []errorJSON{},
	}
	if r.Proposed != (jetpack.Buffers{}) {
		out.Proposed = r.Proposed.String()
	}
	for _, g := range r.Errors.Groups {
		out.Errors = append(out.Errors, errorJSON{string(g.Kind), g.Count, g.Jetpack, append([]string{}, g.Culprits...), g.Example})
	}
	return out
}

func callsToJSON(c *accesslog.Calls) callsJSON {
	out := callsJSON{
		Count: c.Count, Statuses: c.Statuses, Signed: c.Signed, Replays: c.Replays, Relayed: c.Relayed, Agents: []agentJSON{},
	}
	for _, a := range c.Agents {
		out.Agents = append(out.Agents, agentJSON{a.Name, a.Count, a.Good})
	}
	if t := &c.Times; t.Count() > 0 {
		out.Times = &timesJSON{t.Count(), t.Percentile(50).Seconds(), t.Percentile(99).Seconds(), t.Max().Seconds()}
	}
	return out
}

func sizesToJSON(s *accesslog.Sizes) sizesJSON {
	return sizesJSON{s.Count, s.Average(), s.Percentile(50), s.Percentile(90), s.Percentile(99), s.Max}
}

func urlsToJSON(urls []accesslog.URL) []urlJSON {
	out := []urlJSON{}
	for _, u := range urls {
		out = append(out, urlJSON{u.Path, u.Count, sizesToJSON(&u.Sizes)})
	}
	return out
}
