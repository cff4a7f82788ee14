package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// The defaults of what is kept of a blog.
const (
	defaultNotes        = true
	defaultMails        = true
	defaultTexts        = false
	defaultDeferMinutes = uint32(5)
)

// mostURLs bounds the URLs of a blog that has settings.
const mostURLs = 1000

func (s *jetpackMonitor) GetJetpackMonitorSettings(ctx context.Context, req *wpcomv1.GetJetpackMonitorSettingsRequest) (*wpcomv1.GetJetpackMonitorSettingsResponse, error) {
	blog, rows, err := s.blogOf(ctx, req.GetSite())
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, noneIs(req.GetSite())
	}
	kept, err := s.o.Store.BlogSettings(ctx, blog)
	if err != nil {
		return nil, err
	}
	return &wpcomv1.GetJetpackMonitorSettingsResponse{Success: true, Settings: settingsToProto(rows, kept)}, nil
}

// blogOf returns the blog that a name stands for, and all its sites. A blog that is named by its
// id need not have any.
func (s *jetpackMonitor) blogOf(ctx context.Context, site string) (blog check.BlogID, rows []record.Site, err error) {
	n, err := nameOf(site)
	if err != nil {
		return 0, nil, err
	}
	if blog = n.blog; blog == 0 {
		found := false
		err = s.walk(ctx, site, func(rows []record.Site) (bool, error) {
			for _, row := range rows {
				if found && row.BlogID != blog {
					return false, fault.New(fault.Fenced, "site: several blogs have %q; name one by its id", fault.Clip(site, maxQuote))
				}
				found, blog = true, row.BlogID
			}
			return true, nil
		})
		switch {
		case err != nil:
			return 0, nil, err
		case !found:
			return 0, nil, noneIs(site)
		case blog <= 0:
			return 0, nil, fault.New(fault.Fenced, "site: %q is of no blog, so it has no settings here", fault.Clip(site, maxQuote))
		}
	}
	rows, err = s.o.Store.ListSites(ctx, store.SiteQuery{BlogID: blog, Limit: mostURLs + 1})
	if err == nil && len(rows) > mostURLs {
		err = fault.New(fault.Fenced, "site: blog %d has more than %d URLs; list them with /v1/sites", blog, mostURLs)
	}
	return blog, rows, err
}

// settingsToProto puts together what is monitored of a blog and what is kept of it.
func settingsToProto(rows []record.Site, kept record.BlogSettings) *wpcomv1.JetpackMonitorSettings {
	out := keptToProto(kept)
	active := isActive(rows)
	out.MonitorActive = &active
	for _, row := range rows {
		minutes := uint32(row.Interval / time.Minute)
		out.Urls = append(out.Urls, &wpcomv1.JetpackMonitorUrl{
			MonitorUrl: row.URL, CheckInterval: &minutes,
			Options: &wpcomv1.JetpackMonitorUrlOptions{StatusDownWebhookUrl: kept.Webhooks[row.URL]},
		})
	}
	return out
}

func isActive(rows []record.Site) bool {
	return slices.ContainsFunc(rows, func(row record.Site) bool { return !row.Paused })
}

// keptToProto converts what is kept of a blog, with defaults.
func keptToProto(kept record.BlogSettings) *wpcomv1.JetpackMonitorSettings {
	contacts := &wpcomv1.JetpackMonitorContacts{}
	for _, e := range kept.Emails {
		contacts.Emails = append(contacts.Emails, &wpcomv1.JetpackMonitorEmail{Name: e.Name, EmailAddress: e.Address, Verified: e.Verified})
	}
	for _, p := range kept.Phones {
		contacts.SmsNumbers = append(contacts.SmsNumbers, &wpcomv1.JetpackMonitorSmsNumber{
			Name: p.Name, SmsNumber: p.Full, Number: p.Number, CountryCode: p.Country, CountryNumericCode: p.Prefix, Verified: p.Verified,
		})
	}
	return &wpcomv1.JetpackMonitorSettings{
		WpNoteNotifications: or(kept.Notes, defaultNotes), EmailNotifications: or(kept.Mails, defaultMails), SmsNotifications: or(kept.Texts, defaultTexts),
		JetmonDeferStatusDownMinutes: or(kept.DeferMinutes, defaultDeferMinutes), Contacts: contacts,
	}
}

// or returns a value that is always there.
func or[T any](value *T, fallback T) *T { return cmp.Or(value, &fallback) }

func (s *jetpackMonitor) UpdateJetpackMonitorSettings(ctx context.Context, req *wpcomv1.UpdateJetpackMonitorSettingsRequest) (*wpcomv1.UpdateJetpackMonitorSettingsResponse, error) {
	paths, err := settingPaths(req)
	if err != nil {
		return nil, err
	}
	blog, rows, err := s.blogOf(ctx, req.GetSite())
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 && !paths["urls"] {
		return nil, noneIs(req.GetSite())
	}
	if err := mayPut(ctx, blog); err != nil {
		return nil, err
	}
	p, err := s.plan(blog, rows, req.GetSettings(), paths)
	if err != nil {
		return nil, err
	}
	if err := p.carryOut(ctx); err != nil {
		return nil, err
	}
	kept, err := s.keep(ctx, blog, req.GetSettings(), paths, p)
	if err != nil {
		return nil, p.after(err)
	}
	if rows, err = s.o.Store.ListSites(ctx, store.SiteQuery{BlogID: blog, Limit: mostURLs}); err != nil {
		return nil, p.after(err)
	}
	return &wpcomv1.UpdateJetpackMonitorSettingsResponse{Success: true, Settings: settingsToProto(rows, kept)}, nil
}

// settingPaths returns the settings that an update changes: those in its mask, or without one
// those that have a value.
func settingPaths(req *wpcomv1.UpdateJetpackMonitorSettingsRequest) (map[string]bool, error) {
	m := req.GetSettings().ProtoReflect()
	paths := map[string]bool{}
	if len(req.GetUpdateMask().GetPaths()) == 0 {
		for _, path := range populated(m, "") {
			paths[path] = true
		}
		return paths, nil
	}
	for _, path := range req.GetUpdateMask().GetPaths() {
		name, _, ok := fieldPath(m.Descriptor(), path)
		switch {
		case !ok:
			return nil, fault.InvalidField("update_mask", "%q is not a setting", fault.Clip(path, maxQuote))
		case name == "contacts":
			paths["contacts.emails"], paths["contacts.sms_numbers"] = true, true
		default:
			paths[name] = true
		}
	}
	return paths, nil
}

// keep stores the settings that are kept for WordPress.com.
func (s *jetpackMonitor) keep(ctx context.Context, blog check.BlogID, in *wpcomv1.JetpackMonitorSettings, paths map[string]bool, p *plan) (record.BlogSettings, error) {
	d := deed(ctx, wpcomv1.JetpackMonitorService_UpdateJetpackMonitorSettings_FullMethodName)
	return s.o.Store.EditBlogSettings(ctx, blog, func(kept record.BlogSettings) (record.BlogSettings, error) {
		if paths["wp_note_notifications"] {
			kept.Notes = in.WpNoteNotifications
		}
		if paths["email_notifications"] {
			kept.Mails = in.EmailNotifications
		}
		if paths["sms_notifications"] {
			kept.Texts = in.SmsNotifications
		}
		if paths["jetmon_defer_status_down_minutes"] {
			kept.DeferMinutes = in.JetmonDeferStatusDownMinutes
		}
		if paths["contacts.emails"] {
			kept.Emails = emailsOf(in.GetContacts())
		}
		if paths["contacts.sms_numbers"] {
			kept.Phones = phonesOf(in.GetContacts())
		}
		if paths["urls"] {
			kept.Webhooks = p.webhooks(kept.Webhooks)
		}
		return kept, nil
	}, func(before, after record.BlogSettings) record.Audit {
		return d.record(time.Now(), fmt.Sprintf("blogs/%d/monitor-settings", blog), recordedBlog(before), recordedBlog(after))
	})
}

// recordedBlog is what a caller can edit of what is kept of a blog.
func recordedBlog(kept record.BlogSettings) proto.Message {
	out := keptToProto(kept)
	for url, hook := range kept.Webhooks {
		out.Urls = append(out.Urls, &wpcomv1.JetpackMonitorUrl{MonitorUrl: url, Options: &wpcomv1.JetpackMonitorUrlOptions{StatusDownWebhookUrl: hook}})
	}
	slices.SortFunc(out.GetUrls(), func(a, b *wpcomv1.JetpackMonitorUrl) int { return cmp.Compare(a.GetMonitorUrl(), b.GetMonitorUrl()) })
	return out
}

func emailsOf(in *wpcomv1.JetpackMonitorContacts) (out []record.Email) {
	for _, e := range in.GetEmails() {
		out = append(out, record.Email{Name: e.GetName(), Address: e.GetEmailAddress(), Verified: e.GetVerified()})
	}
	return out
}

func phonesOf(in *wpcomv1.JetpackMonitorContacts) (out []record.Phone) {
	for _, p := range in.GetSmsNumbers() {
		out = append(out, record.Phone{
			Name: p.GetName(), Full: p.GetSmsNumber(), Number: p.GetNumber(), Country: p.GetCountryCode(), Prefix: p.GetCountryNumericCode(), Verified: p.GetVerified(),
		})
	}
	return out
}
