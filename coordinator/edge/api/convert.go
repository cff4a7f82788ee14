package api

import (
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/fault"
)

// apply copies the named fields of a site into a row; see editPaths for the names.
func apply(row *record.Site, site *monitorv1.Site, paths []string) error {
	for _, path := range paths {
		if err := applyField(row, site, path); err != nil {
			return err
		}
	}
	return nil
}

func applyField(row *record.Site, site *monitorv1.Site, path string) error {
	switch path {
	case "blog_id":
		row.BlogID = check.BlogID(site.GetBlogId())
	case "url":
		if row.ID != 0 && site.GetUrl() == row.URL {
			return nil // not checked: WordPress.com may have stored any text
		}
		url := check.TrimURL(site.GetUrl())
		if err := check.ValidateURL(url); err != nil {
			return fault.InvalidField("site.url", "%w", err)
		}
		row.URL = url // else unchanged, since notifications to WordPress.com repeat it
	case "check_interval":
		return applyInterval(row, site)
	case "paused":
		row.Paused = site.GetPaused()
	case "public_badges":
		row.PublicBadges = site.GetPublicBadges()
	case "tags":
		row.Tags = slices.Sorted(slices.Values(site.GetTags()))
	default:
		return applySettings(row, site.GetSettings(), path)
	}
	return nil
}

func applyInterval(row *record.Site, site *monitorv1.Site) error {
	if site.GetCheckInterval() == nil {
		row.Interval = defaultInterval
		return nil
	}
	d := site.GetCheckInterval().AsDuration()
	if d < time.Minute || d > 255*time.Minute || d%time.Minute != 0 {
		return fault.InvalidField("site.check_interval", "must be whole minutes from 60s to 15300s, is %s", d)
	}
	row.Interval = d
	return nil
}

func applySettings(row *record.Site, in *monitorv1.CheckSettings, path string) error {
	settings, err := checkpb.SettingsFromProto("site.settings", in)
	if e, ok := errors.AsType[*checkpb.FieldError](err); ok {
		return fault.InvalidField(e.Field, "%s", e.Description)
	}
	if err != nil {
		return err
	}
	switch path {
	case "settings":
		row.Settings = settings
	case "settings.method":
		row.Settings.Method = settings.Method
	case "settings.redirect_policy":
		row.Settings.RedirectPolicy = settings.RedirectPolicy
	case "settings.required_texts":
		row.Settings.RequiredTexts = settings.RequiredTexts
	case "settings.forbidden_texts":
		row.Settings.ForbiddenTexts = settings.ForbiddenTexts
	case "settings.headers":
		row.Settings.Headers = settings.Headers
	case "settings.slow_after":
		row.Settings.SlowAfter = settings.SlowAfter
	case "settings.page_check":
		row.Settings.PageCheck = settings.PageCheck
	case "settings.tls_errors":
		row.Settings.TLSErrors = settings.TLSErrors
	default:
		return fault.New(fault.Internal, "no code applies %s, which a client may set", path)
	}
	return nil
}

// siteToProto converts the stored state of a site.
func siteToProto(row record.Site) *monitorv1.Site {
	return &monitorv1.Site{
		SiteId: int64(row.ID), BlogId: int64(row.BlogID), Url: row.URL, Bucket: uint32(row.Bucket),
		State:    monitorv1.SiteState(lifecycle.Initial(row.Status, row.StatusSince, row.Paused).Stage),
		StatusId: int32(row.Status), LastStatusChangeTime: timestamp(row.StatusSince),
		CheckInterval: durationpb.New(row.Interval), Paused: row.Paused, OutageId: row.OutageID,
		Settings: checkpb.SettingsToProto(row.Settings), Tags: row.Tags, PublicBadges: row.PublicBadges, Etag: etagOf(row),
	}
}

// overlay adds the engine's live state to a site.
func overlay(site *monitorv1.Site, v engine.View) {
	site.State = monitorv1.SiteState(v.State.Stage)
	if v.Uncheckable != "" {
		site.State = monitorv1.SiteState_SITE_STATE_UNCHECKABLE
	}
	site.StatusId, site.LastStatusChangeTime = int32(v.Status), timestamp(v.StatusSince)
	site.OutageId = v.OutageID
	site.LastCheckTime = timestamp(v.LastCheck)
	site.HoldReason = v.UndecidedReason
	site.NextCheckTime = timestamp(v.Next)
	site.Flapping, site.Relapses = v.Flapping, uint32(v.State.Flap.Relapses)
	if r := v.Regional; r != nil {
		site.RegionalFinding = &monitorv1.RegionalFinding{DownRegions: r.Down, UpRegions: r.Up, FindTime: timestamp(r.At)}
	}
	if v.Last != nil {
		site.LastObservation = checkpb.ObservationToProto(*v.Last)
	}
}

// watched returns the live state of those of the sites that the engine watches. The caller
// has their rows.
func (o Options) watched(ids []check.SiteID) []*monitorv1.Site {
	var out []*monitorv1.Site
	now := time.Now()
	for _, id := range ids {
		if v, ok := o.Engine.View(now, id); ok {
			site := &monitorv1.Site{SiteId: int64(id)}
			overlay(site, v)
			out = append(out, site)
		}
	}
	return out
}

// overlayFetched adds the live state that the site's owner reported: the fields of overlay.
func overlayFetched(site, known *monitorv1.Site) {
	site.State, site.StatusId, site.LastStatusChangeTime = known.GetState(), known.GetStatusId(), known.GetLastStatusChangeTime()
	site.OutageId = known.GetOutageId()
	site.LastCheckTime, site.LastObservation = known.GetLastCheckTime(), known.GetLastObservation()
	site.HoldReason, site.NextCheckTime = known.GetHoldReason(), known.GetNextCheckTime()
	site.Flapping, site.Relapses, site.RegionalFinding = known.GetFlapping(), known.GetRelapses(), known.GetRegionalFinding()
}
