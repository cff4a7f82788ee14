package transfer

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// MaxBytes is the most bytes of a file.
const MaxBytes = 64 << 20

// Monitor is a monitor of a file.
type Monitor struct {
	// Name is how the file calls it.
	Name string
	// Number is its place in the file, from 1.
	Number int
	// Site is what Jetmon can do of it; nil when that is nothing.
	Site *monitorv1.Site
	// LeftOut says what Jetmon cannot do of it and why, in sentences without a dot.
	LeftOut []string
}

// leaveOut adds a remark.
func (m *Monitor) leaveOut(format string, args ...any) {
	m.LeftOut = append(m.LeftOut, fmt.Sprintf(format, args...))
}

// drop says why the monitor becomes no site.
func (m *Monitor) drop(format string, args ...any) {
	m.Site = nil
	m.LeftOut = []string{"no site: " + fmt.Sprintf(format, args...)}
}

// read reads a file of at most MaxBytes.
func read(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err == nil && len(text) > MaxBytes {
		err = fmt.Errorf("has more than %d bytes", MaxBytes)
	}
	return text, err
}

// newSite returns the site of a monitor of this URL, or says why there is none.
func (m *Monitor) newSite(address string) bool {
	address = strings.TrimSpace(address)
	u, err := url.Parse(address)
	switch {
	case address == "":
		m.drop("it has no URL")
	case err != nil:
		m.drop("its URL %q cannot be read", address)
	case u.Scheme != "http" && u.Scheme != "https":
		m.drop("%q is no page: Jetmon checks http and https only", address)
	case u.Host == "":
		m.drop("its URL %q has no host", address)
	default:
		m.Site = &monitorv1.Site{Url: address, Settings: &monitorv1.CheckSettings{}}
		if u.User != nil {
			m.basicAuth(u.User.Username(), password(u.User))
			u.User = nil
			m.Site.Url = u.String()
		}
	}
	return m.Site != nil
}

func password(u *url.Userinfo) string {
	p, _ := u.Password()
	return p
}

// The intervals of Jetmon.
const (
	leastInterval = time.Minute
	mostInterval  = 255 * time.Minute
)

// interval sets how often the site is checked: in whole minutes, no more often than asked for.
func (m *Monitor) interval(d time.Duration) {
	fitting := min(max((d+time.Minute-1).Truncate(time.Minute), leastInterval), mostInterval)
	if fitting != d {
		m.leaveOut("the interval of %s: it is checked every %s, for intervals are whole minutes from 1m to 255m", d, minutes(fitting))
	}
	m.Site.CheckInterval = durationpb.New(fitting)
}

func minutes(d time.Duration) string { return fmt.Sprintf("%dm", int(d.Minutes())) }

// method sets how the site is asked.
func (m *Monitor) method(name string) bool {
	switch strings.ToUpper(strings.TrimSpace(name)) {
	case "", "GET":
		m.Site.Settings.Method = checkv1.Method_METHOD_GET
	case "HEAD":
		m.Site.Settings.Method = checkv1.Method_METHOD_HEAD
	default:
		m.drop("it is asked with %s, and Jetmon asks with HEAD and GET only", strings.ToUpper(name))
		return false
	}
	return true
}

// maxTexts and maxHeaders are the most of each kind that a site has, maxTextBytes is the most
// bytes of a text.
const (
	maxTexts     = 8
	maxTextBytes = 200
	maxHeaders   = 8
)

// require adds a text that the page must contain, forbid one that it must not.
func (m *Monitor) require(text string) { m.text(&m.Site.Settings.RequiredTexts, text) }
func (m *Monitor) forbid(text string)  { m.text(&m.Site.Settings.ForbiddenTexts, text) }

func (m *Monitor) text(texts *[]string, text string) {
	switch {
	case slices.Contains(*texts, text):
	case len(text) > maxTextBytes:
		m.leaveOut("the text %.40q...: a text has at most %d bytes", text, maxTextBytes)
	case len(*texts) == maxTexts:
		m.leaveOut("the text %q: a site has at most %d", text, maxTexts)
	default:
		*texts = append(*texts, text)
	}
}

// headers adds request headers, by name.
func (m *Monitor) headers(values map[string]string) {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		m.header(name, values[name])
	}
}

func (m *Monitor) header(name, value string) {
	if len(m.Site.Settings.Headers) == maxHeaders {
		m.leaveOut("the header %s: a site has at most %d", name, maxHeaders)
		return
	}
	m.Site.Settings.Headers = append(m.Site.Settings.Headers, &checkv1.Header{Name: name, Value: value})
}

const maxTags = 8

// tag adds a tag, changed so that it may be one.
func (m *Monitor) tag(name string) {
	tag := tagOf(name)
	switch {
	case tag == "":
		m.leaveOut("the tag %q: a tag is made of a-z 0-9 . _ : -", name)
		return
	case slices.Contains(m.Site.Tags, tag):
		return
	case len(m.Site.Tags) == maxTags:
		m.leaveOut("the tag %q: a site has at most %d", name, maxTags)
		return
	case tag != name:
		m.leaveOut("the spelling of the tag %q: it is %s here", name, tag)
	}
	m.Site.Tags = append(m.Site.Tags, tag)
}

// tagOf spells a tag as Jetmon wants it.
func tagOf(name string) string {
	const most = 32
	tag := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_', r == ':', r == '-':
			return r
		}
		return '-'
	}, strings.ToLower(strings.TrimSpace(name)))
	tag = strings.TrimLeft(tag, ".-_:")
	tag = strings.TrimRight(tag[:min(len(tag), most)], "-")
	return tag
}
