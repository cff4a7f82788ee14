// Package historyfile decides how the points of a site's history are written as CSV, for
// spreadsheets and scripts, and as NDJSON, one point a line in the API's JSON. The gateway and
// the command line share it.
//
// It works row by row in bounded memory. It knows no command line, no HTTP and no gRPC.
package historyfile

import (
	"bufio"
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/restjson"
)

// Format is that of a file.
type Format string

// The formats, by the endings of their files.
const (
	CSV    Format = "csv"
	NDJSON Format = "ndjson"
)

// column is a column of CSV. A turn has what turn says, an hour or a day what span says; nil is
// empty.
type column struct {
	name string
	turn func(*monitorv1.HistoryPoint) string
	span func(*monitorv1.HistoryPoint) string
}

// columns are in the order of the file. New ones go to the end.
func columns() []column {
	return []column{
		{"start_time", start, start},
		{"end_time", end, end},
		{"code", code, nil},
		{"response_seconds", func(p *monitorv1.HistoryPoint) string { return seconds(p.GetResponseTime()) }, nil},
		{"region", func(p *monitorv1.HistoryPoint) string { return guard(p.GetRegion()) }, nil},
		{"none", nil, count((*monitorv1.TurnCounts).GetNone)},
		{"unknown", nil, count((*monitorv1.TurnCounts).GetUnknown)},
		{"good", nil, count((*monitorv1.TurnCounts).GetGood)},
		{"failed", nil, count((*monitorv1.TurnCounts).GetFailed)},
		{"blocked", nil, count((*monitorv1.TurnCounts).GetBlocked)},
		{"maintenance", nil, count((*monitorv1.TurnCounts).GetMaintenance)},
		{"paused", nil, count((*monitorv1.TurnCounts).GetPaused)},
		{"min_seconds", nil, span((*monitorv1.ResponseTimes).GetMin)},
		{"p50_seconds", nil, span((*monitorv1.ResponseTimes).GetP50)},
		{"p95_seconds", nil, span((*monitorv1.ResponseTimes).GetP95)},
		{"p99_seconds", nil, span((*monitorv1.ResponseTimes).GetP99)},
		{"max_seconds", nil, span((*monitorv1.ResponseTimes).GetMax)},
		{"uptime", nil, func(p *monitorv1.HistoryPoint) string { return share(p.Uptime) }},
		{"coverage", nil, func(p *monitorv1.HistoryPoint) string { return share(p.Coverage) }},
		{"down_seconds", nil, func(p *monitorv1.HistoryPoint) string { return seconds(p.GetDownTime()) }},
		{"outages", nil, func(p *monitorv1.HistoryPoint) string { return strconv.Itoa(int(p.GetOutages())) }},
		{"checker", func(p *monitorv1.HistoryPoint) string { return guard(p.GetChecker()) }, nil},
	}
}

// Columns are the names of the columns of CSV.
func Columns() []string {
	var names []string
	for _, c := range columns() {
		names = append(names, c.name)
	}
	return names
}

func start(p *monitorv1.HistoryPoint) string { return moment(p.GetStartTime()) }
func end(p *monitorv1.HistoryPoint) string   { return moment(p.GetEndTime()) }

func moment(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339Nano)
}

// code is the word for what became of a turn, as "good".
func code(p *monitorv1.HistoryPoint) string {
	return strings.ToLower(strings.TrimPrefix(p.GetCode().String(), "TURN_CODE_"))
}

func seconds(d *durationpb.Duration) string {
	if d == nil {
		return ""
	}
	return strconv.FormatFloat(d.AsDuration().Seconds(), 'f', -1, 64)
}

func share(x *float64) string {
	if x == nil {
		return ""
	}
	return strconv.FormatFloat(*x, 'f', -1, 64)
}

func count(get func(*monitorv1.TurnCounts) int64) func(*monitorv1.HistoryPoint) string {
	return func(p *monitorv1.HistoryPoint) string { return strconv.FormatInt(get(p.GetTurns()), 10) }
}

func span(get func(*monitorv1.ResponseTimes) *durationpb.Duration) func(*monitorv1.HistoryPoint) string {
	return func(p *monitorv1.HistoryPoint) string { return seconds(get(p.GetResponseTimes())) }
}

// guard keeps a spreadsheet from taking a text for a formula.
func guard(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// Writer writes points into a file.
type Writer struct {
	format  Format
	columns []column
	out     *bufio.Writer
	csv     *csv.Writer
	begun   bool
	cells   []string
}

// NewWriter returns a writer to w, which it buffers: see Flush.
func NewWriter(w io.Writer, format Format) *Writer {
	out := bufio.NewWriterSize(w, 64<<10)
	return &Writer{format: format, columns: columns(), out: out, csv: csv.NewWriter(out)}
}

// Write writes a point.
func (w *Writer) Write(p *monitorv1.HistoryPoint) error {
	if err := w.begin(); err != nil {
		return err
	}
	if w.format == NDJSON {
		line, err := restjson.Line(p)
		if err != nil {
			return err
		}
		_, err = w.out.Write(line)
		return err
	}
	w.cells = w.cells[:0]
	for _, c := range w.columns {
		of := c.span
		if p.GetTurns() == nil {
			of = c.turn
		}
		cell := ""
		if of != nil {
			cell = of(p)
		}
		w.cells = append(w.cells, cell)
	}
	return w.csv.Write(w.cells)
}

// begin writes what precedes the first row.
func (w *Writer) begin() error {
	if w.begun {
		return nil
	}
	w.begun = true
	if w.format == CSV {
		return w.csv.Write(Columns())
	}
	return nil
}

// Flush writes what is buffered. A file of CSV names its columns even if it has no point.
func (w *Writer) Flush() error {
	if err := w.begin(); err != nil {
		return err
	}
	w.csv.Flush()
	if err := w.csv.Error(); err != nil {
		return err
	}
	return w.out.Flush()
}
