package obs

import (
	"io"
	"log/slog"
)

// formatJSON is the log format with one JSON object per line.
const formatJSON = "json"

// NewLogger makes a logger that writes lines of level and above to w, as JSON for
// the format "json", or else as key=value text. A line that is logged with the context of
// a request has its id, and one of a span that is recorded trace_id and span_id.
func NewLogger(w io.Writer, level slog.Leveler, format string) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == formatJSON {
		return slog.New(byRequest{slog.NewJSONHandler(w, o)})
	}
	return slog.New(byRequest{slog.NewTextHandler(w, o)})
}
