package sitefile

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// Format is the format of a file.
type Format string

// The formats.
const (
	// CSV is RFC 4180 with a first line that names the columns, in UTF-8.
	CSV Format = "csv"
	// NDJSON is a Site of the API a line, in the JSON of REST.
	NDJSON Format = "ndjson"
)

// MaxRow is the most bytes of a row, which is also the most of a request of the API.
const MaxRow = 128 << 10

// RowError says why a row is no site. The rows after it can be read nevertheless.
type RowError struct {
	// Row is the number of the row, from 1: neither the line that names the columns of CSV
	// nor an empty line is a row.
	Row int64
	// Line is the number of the line, from 1, in which the row begins.
	Line int64
	// Field is the field of the site that is at fault, as check_interval or settings.method;
	// empty when the whole row is.
	Field string
	// Err is what is wrong with it.
	Err error
}

// Error begins with the line, for that is what an editor shows.
func (e *RowError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("line %d: %v", e.Line, e.Err)
	}
	return fmt.Sprintf("line %d: %s: %v", e.Line, e.Field, e.Err)
}

// Unwrap returns what is wrong with the row.
func (e *RowError) Unwrap() error { return e.Err }

// fieldError is what a decoder says of one field.
type fieldError struct {
	field string
	err   error
}

func (e fieldError) Error() string { return e.field + ": " + e.err.Error() }
func (e fieldError) Unwrap() error { return e.err }

// rowError puts the place to an error of a decoder.
func rowError(row, line int64, err error) *RowError {
	if f, ok := errors.AsType[fieldError](err); ok {
		return &RowError{Row: row, Line: line, Field: f.field, Err: f.err}
	}
	return &RowError{Row: row, Line: line, Err: err}
}

// Portable returns a site with what a file holds of it and nothing else. Settings that are
// all defaults are absent.
func Portable(s *monitorv1.Site) *monitorv1.Site {
	kept := &monitorv1.Site{
		Url: s.GetUrl(), BlogId: s.GetBlogId(), CheckInterval: s.GetCheckInterval(), Paused: s.GetPaused(), Tags: s.GetTags(),
		PublicBadges: s.GetPublicBadges(),
	}
	if proto.Size(s.GetSettings()) > 0 {
		kept.Settings = s.GetSettings()
	}
	return kept
}
