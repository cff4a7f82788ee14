package format

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/sitefile"
)

// Site writes all that is known of a site.
func Site(w io.Writer, s *monitorv1.Site) error {
	return write(w, func(p *page) {
		p.line("site\t%d", s.GetSiteId())
		p.line("url\t%s", s.GetUrl())
		p.line("blog\t%d", s.GetBlogId())
		p.line("state\t%s", word(s.GetState(), "SITE_STATE_"))
		p.line("status\t%s", told(s))
		p.line("interval\t%s", cmp.Or(sitefile.Seconds(s.GetCheckInterval()), "300s"))
		p.line("last check\t%s  %s", moment(s.GetLastCheckTime()), seen(s.GetLastObservation()))
		p.line("next check\t%s", moment(s.GetNextCheckTime()))
		if s.GetOutageId() != 0 {
			p.line("outage\t%d", s.GetOutageId())
		}
		if s.GetHoldReason() != "" {
			p.line("held back\t%s", s.GetHoldReason())
		}
		if s.GetFlapping() {
			p.line("flapping\t%d relapses", s.GetRelapses())
		}
		if len(s.GetTags()) > 0 {
			p.line("tags\t%s", strings.Join(s.GetTags(), " "))
		}
		p.settings(s.GetSettings())
		if s.GetPublicBadges() {
			p.line("badges\tpublic")
		}
		p.line("bucket\t%d", s.GetBucket())
		p.line("etag\t%s", s.GetEtag())
	})
}

// told describes what WordPress.com has been told.
func told(s *monitorv1.Site) string {
	words := map[int32]string{0: "0 (down)", 1: "1 (running)", 2: "2 (confirmed down)"}
	text := cmp.Or(words[s.GetStatusId()], fmt.Sprint(s.GetStatusId()))
	if t := s.GetLastStatusChangeTime(); t != nil {
		text += " since " + moment(t)
	}
	return text
}

// settings writes those that are not the default.
func (p *page) settings(c *monitorv1.CheckSettings) {
	for _, s := range []struct{ name, value string }{
		{"method", sitefile.Word(c.GetMethod())},
		{"redirects", sitefile.Word(c.GetRedirectPolicy())},
		{"page check", sitefile.Word(c.GetPageCheck())},
		{"tls errors", sitefile.Word(c.GetTlsErrors())},
		{"slow after", sitefile.Seconds(c.GetSlowAfter())},
	} {
		if s.value != "" {
			p.line("%s\t%s", s.name, s.value)
		}
	}
	for _, text := range c.GetRequiredTexts() {
		p.line("must contain\t%q", text)
	}
	for _, text := range c.GetForbiddenTexts() {
		p.line("must not contain\t%q", text)
	}
	for _, h := range c.GetHeaders() {
		p.line("header\t%s", header(h))
	}
}

// header writes a header as it is sent.
func header(h *checkv1.Header) string { return h.GetName() + ": " + h.GetValue() }

// NewSiteCells returns the row of a site that is to be added: URL, blog, interval, paused,
// tags, and the settings that are not the default.
func NewSiteCells(s *monitorv1.Site) []string {
	paused := ""
	if s.GetPaused() {
		paused = "paused"
	}
	return []string{
		s.GetUrl(), strconv.FormatInt(s.GetBlogId(), 10), cmp.Or(sitefile.Seconds(s.GetCheckInterval()), "300s"), paused,
		strings.Join(s.GetTags(), " "), settingsInWords(s.GetSettings()),
	}
}

func settingsInWords(c *monitorv1.CheckSettings) string {
	var all []string
	for _, s := range []struct{ name, value string }{
		{"method", sitefile.Word(c.GetMethod())}, {"redirects", sitefile.Word(c.GetRedirectPolicy())},
		{"page-check", sitefile.Word(c.GetPageCheck())}, {"tls-errors", sitefile.Word(c.GetTlsErrors())},
		{"slow-after", sitefile.Seconds(c.GetSlowAfter())},
	} {
		if s.value != "" {
			all = append(all, s.name+"="+s.value)
		}
	}
	for _, text := range c.GetRequiredTexts() {
		all = append(all, fmt.Sprintf("requires %q", text))
	}
	for _, text := range c.GetForbiddenTexts() {
		all = append(all, fmt.Sprintf("forbids %q", text))
	}
	for _, h := range c.GetHeaders() {
		all = append(all, "sends "+h.GetName())
	}
	return strings.Join(all, ", ")
}
