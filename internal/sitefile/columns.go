package sitefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// column is a column of CSV. An empty cell means the default.
type column struct {
	name string
	// field is the field of the site, where it is not called as the column is.
	field string
	// write returns the cell of a site.
	write func(*monitorv1.Site) string
	// read puts a cell that is not empty into a site, whose settings exist.
	read func(*monitorv1.Site, string) error
}

// columns are all columns, in the order in which they are written.
var columns = []column{
	{"url", "", (*monitorv1.Site).GetUrl, func(s *monitorv1.Site, cell string) error { s.Url = cell; return nil }},
	{"blog_id", "", writeBlog, readBlog},
	{"check_interval", "", func(s *monitorv1.Site) string { return Seconds(s.GetCheckInterval()) },
		func(s *monitorv1.Site, cell string) (err error) {
			s.CheckInterval, err = ParseDuration(cell)
			return err
		}},
	{"paused", "", func(s *monitorv1.Site) string { return strconv.FormatBool(s.GetPaused()) },
		func(s *monitorv1.Site, cell string) (err error) { s.Paused, err = readBool(cell); return err }},
	{"tags", "", func(s *monitorv1.Site) string { return strings.Join(s.GetTags(), " ") },
		func(s *monitorv1.Site, cell string) error { s.Tags = Tags(cell); return nil }},
	{"method", "settings.method", func(s *monitorv1.Site) string { return Word(s.GetSettings().GetMethod()) },
		func(s *monitorv1.Site, cell string) error {
			return setWord(cell, func(m checkv1.Method) { s.Settings.Method = m })
		}},
	{"redirect_policy", "settings.redirect_policy", func(s *monitorv1.Site) string { return Word(s.GetSettings().GetRedirectPolicy()) },
		func(s *monitorv1.Site, cell string) error {
			return setWord(cell, func(r checkv1.RedirectPolicy) { s.Settings.RedirectPolicy = r })
		}},
	{"required_texts", "settings.required_texts", func(s *monitorv1.Site) string { return writeTexts(s.GetSettings().GetRequiredTexts()) },
		func(s *monitorv1.Site, cell string) (err error) {
			s.Settings.RequiredTexts, err = readTexts(cell)
			return err
		}},
	{"forbidden_texts", "settings.forbidden_texts", func(s *monitorv1.Site) string { return writeTexts(s.GetSettings().GetForbiddenTexts()) },
		func(s *monitorv1.Site, cell string) (err error) {
			s.Settings.ForbiddenTexts, err = readTexts(cell)
			return err
		}},
	{"headers", "settings.headers", writeHeaders, readHeaders},
	{"slow_after", "settings.slow_after", func(s *monitorv1.Site) string { return Seconds(s.GetSettings().GetSlowAfter()) },
		func(s *monitorv1.Site, cell string) (err error) {
			s.Settings.SlowAfter, err = ParseDuration(cell)
			return err
		}},
	{"page_check", "settings.page_check", func(s *monitorv1.Site) string { return Word(s.GetSettings().GetPageCheck()) },
		func(s *monitorv1.Site, cell string) error {
			return setWord(cell, func(c checkv1.PageCheck) { s.Settings.PageCheck = c })
		}},
	{"tls_errors", "settings.tls_errors", func(s *monitorv1.Site) string { return Word(s.GetSettings().GetTlsErrors()) },
		func(s *monitorv1.Site, cell string) error {
			return setWord(cell, func(e checkv1.TLSErrors) { s.Settings.TlsErrors = e })
		}},
	{"public_badges", "", writeBadges,
		func(s *monitorv1.Site, cell string) (err error) { s.PublicBadges, err = readBool(cell); return err }},
}

// Columns returns the names of the columns of CSV, in the order in which they are written.
func Columns() []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return names
}

func columnNamed(name string) (column, bool) {
	for _, c := range columns {
		if c.name == name {
			return c, true
		}
	}
	return column{}, false
}

func writeBlog(s *monitorv1.Site) string { return strconv.FormatInt(s.GetBlogId(), 10) }

func readBlog(s *monitorv1.Site, cell string) (err error) {
	if s.BlogId, err = strconv.ParseInt(cell, 10, 64); err != nil || s.BlogId < 0 {
		return fmt.Errorf("must be a whole number, 0 or more, is %s", quoted(cell))
	}
	return nil
}

// writeBadges writes nothing for a site without public badges, as nearly all are.
func writeBadges(s *monitorv1.Site) string {
	if !s.GetPublicBadges() {
		return ""
	}
	return "true"
}

func readBool(cell string) (bool, error) {
	// Spreadsheets write the two in the language of whoever works with them.
	switch strings.ToLower(cell) {
	case "true", "yes", "1", "wahr", "vrai", "verdadero", "verdadeiro", "vero", "waar", "prawda", "sant", "истина":
		return true, nil
	case "false", "no", "0", "falsch", "faux", "falso", "onwaar", "fałsz", "falskt", "ложь":
		return false, nil
	}
	return false, fmt.Errorf("must be true or false, is %s", quoted(cell))
}

// Tags splits a list of tags, separated by blanks or commas.
func Tags(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
}

// Seconds writes a duration as the API's JSON does but for zeros at its end: 300s or 1.5s;
// empty when it is absent.
func Seconds(d *durationpb.Duration) string {
	if d == nil {
		return ""
	}
	text := strconv.FormatInt(d.GetSeconds(), 10)
	if d.GetNanos() != 0 {
		text += strings.TrimRight(fmt.Sprintf(".%09d", d.GetNanos()), "0")
	}
	return text + "s"
}

// ParseDuration reads a duration with a unit: 5m, 300s or 1.5s.
func ParseDuration(text string) (*durationpb.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return nil, fmt.Errorf("must be a duration with a unit, as 5m or 300s, is %s", quoted(text))
	}
	return durationpb.New(d), nil
}

// Word returns the word for a value of an enum, as head-then-get for METHOD_HEAD_THEN_GET;
// empty for the default.
func Word(value protoreflect.Enum) string {
	number := value.Number()
	if number == 0 {
		return ""
	}
	known := value.Descriptor().Values().ByNumber(number)
	if known == nil {
		return strconv.Itoa(int(number))
	}
	return wordOf(value.Descriptor(), known)
}

// wordOf cuts what the name of a value begins with: that of the value 0, but for its end.
func wordOf(enum protoreflect.EnumDescriptor, value protoreflect.EnumValueDescriptor) string {
	prefix := strings.TrimSuffix(string(enum.Values().ByNumber(0).Name()), "UNSPECIFIED")
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(string(value.Name()), prefix), "_", "-"))
}

// Words lists the words for the values of an enum but for its default.
func Words(of protoreflect.Enum) (words []string) {
	values := of.Descriptor().Values()
	for i := range values.Len() {
		if v := values.Get(i); v.Number() != 0 {
			words = append(words, wordOf(of.Descriptor(), v))
		}
	}
	return words
}

// Enum is an enum of the contract.
type Enum interface {
	protoreflect.Enum
	~int32
}

// ParseWord reads the word for a value of an enum; the name that it has in JSON will do, too.
func ParseWord[E Enum](text string) (E, error) {
	var zero E
	values := zero.Descriptor().Values()
	given := strings.ToLower(strings.ReplaceAll(text, "_", "-"))
	for i := range values.Len() {
		v := values.Get(i)
		name := strings.ToLower(strings.ReplaceAll(string(v.Name()), "_", "-"))
		if given == name || v.Number() != 0 && given == wordOf(zero.Descriptor(), v) {
			return E(v.Number()), nil
		}
	}
	return 0, fmt.Errorf("must be one of %s, is %s", strings.Join(Words(zero), ", "), quoted(text))
}

func setWord[E Enum](text string, set func(E)) error {
	value, err := ParseWord[E](text)
	set(value)
	return err
}

func writeTexts(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return compact(texts)
}

// readTexts reads a JSON array of texts, or one text that does not begin as an array does.
func readTexts(cell string) (texts []string, err error) {
	if cell[0] != '[' {
		return []string{cell}, nil
	}
	if err := json.Unmarshal([]byte(cell), &texts); err != nil {
		return nil, errors.New(`must be a JSON array of texts, as ["one","another"]`)
	}
	return texts, nil
}

// header is a header in JSON.
type header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func writeHeaders(s *monitorv1.Site) string {
	var list []header
	for _, h := range s.GetSettings().GetHeaders() {
		list = append(list, header{h.GetName(), h.GetValue()})
	}
	if len(list) == 0 {
		return ""
	}
	return compact(list)
}

func readHeaders(s *monitorv1.Site, cell string) error {
	var list []header
	decoder := json.NewDecoder(strings.NewReader(cell))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&list); err != nil || decoder.More() {
		return errors.New(`must be a JSON array of headers, as [{"name":"X-Probe","value":"1"}]`)
	}
	for _, h := range list {
		s.Settings.Headers = append(s.Settings.Headers, &checkv1.Header{Name: h.Name, Value: h.Value})
	}
	return nil
}

// compact encodes lists of texts, which cannot fail, without escapes for HTML.
func compact(v any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// quoted quotes what somebody wrote, cut to a length that a line has room for.
func quoted(text string) string {
	const most = 60
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return strconv.Quote(text)
}
