package gateway

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/badge"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// badgeType is the media type of a badge.
	badgeType = "image/svg+xml; charset=utf-8"
	// badgeKeep lets browsers and what is between keep a badge for five minutes, and show it
	// for an hour more while nobody answers.
	badgeKeep = "public, max-age=300, stale-if-error=3600"
	// badgePolicy keeps a badge that is opened by itself from running and loading anything.
	badgePolicy = "default-src 'none'; sandbox; frame-ancestors 'none'"
)

// badge draws a badge of a site. It passes on no credentials: the answer is the same for all, and
// the pages of all origins may show it.
func (h *handler) badge(w http.ResponseWriter, req *http.Request) error {
	if err := checkNoBody(w, req); err != nil {
		return err
	}
	asked, err := badgeOf(req.URL.EscapedPath())
	if err != nil {
		return err
	}
	plain := req.Clone(req.Context())
	plain.Header.Del("Authorization")
	if plain, err = h.stream(plain, monitorv1.BadgeService_GetBadge_FullMethodName); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(plain.Context(), callTimeout)
	defer cancel()
	resp, err := monitorv1.NewBadgeServiceClient(h.conn).GetBadge(ctx, asked)
	if err != nil {
		h.failCall(plain.Context(), w, err)
		return nil
	}
	x := reading(req)
	x.keep = badgeKeep
	out := &taggingWriter{ResponseWriter: w, x: x}
	out.Header().Set("Content-Type", badgeType)
	out.Header().Set("Content-Security-Policy", badgePolicy)
	out.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, err = out.Write(badge.Draw(resp.GetLabel(), resp.GetMessage(), toneOf(resp.GetTone())))
	return err
}

// badgeOf reads the path of a badge, whose form was checked: /badge/ID/NAME.
func badgeOf(path string) (*monitorv1.GetBadgeRequest, error) {
	_, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	id, name, _ := strings.Cut(rest, "/")
	site, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil, fault.InvalidField("site_id", "must be a whole number")
	}
	return &monitorv1.GetBadgeRequest{SiteId: site, Badge: name}, nil
}

// toneOf converts a tone; one that a newer coordinator knows is neutral.
func toneOf(t monitorv1.BadgeTone) badge.Tone {
	switch t {
	case monitorv1.BadgeTone_BADGE_TONE_GOOD:
		return badge.Good
	case monitorv1.BadgeTone_BADGE_TONE_FAIR:
		return badge.Fair
	case monitorv1.BadgeTone_BADGE_TONE_POOR:
		return badge.Poor
	case monitorv1.BadgeTone_BADGE_TONE_BAD:
		return badge.Bad
	}
	return badge.Neutral
}
