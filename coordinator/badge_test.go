package coordinator_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// Everybody sees the badges of a site that says so, and nobody, not even its owner, those of
// another; whether there is a site nobody learns.
func TestBadgesArePublicWhereTheSiteSaysSo(t *testing.T) {
	t.Parallel()
	r := guarded(t)
	r.ready(t)
	admin, owner, other := r.token(t, nil, "admin"), r.token(t, []int64{7}, "sites:read", "sites:write"), r.token(t, []int64{8}, "sites:read", "sites:write")
	sites, badges := monitorv1.NewSiteServiceClient(r.conn), monitorv1.NewBadgeServiceClient(r.conn)
	made, err := sites.CreateSite(as(t, admin), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: 7, Url: "http://b.example/", Paused: true}})
	if err != nil {
		t.Fatal(err)
	}
	id := made.GetSite().GetSiteId()
	ask := func(id int64, badge, token string) (*monitorv1.GetBadgeResponse, error) {
		return badges.GetBadge(as(t, token), &monitorv1.GetBadgeRequest{SiteId: id, Badge: badge})
	}
	_, none := ask(id+1000, "status.svg", "")
	for _, token := range []string{"", owner, admin} {
		if _, err := ask(id, "status.svg", token); status.Code(err) != codes.NotFound || status.Convert(err).Message() != status.Convert(none).Message() {
			t.Errorf("badges that are not public: %v; of no site: %v", err, none)
		}
	}
	show := &monitorv1.UpdateSiteRequest{Site: &monitorv1.Site{SiteId: id, PublicBadges: true}}
	if _, err := sites.UpdateSite(as(t, other), show); status.Code(err) != codes.NotFound {
		t.Errorf("of another's site: %v", err)
	}
	if _, err := sites.UpdateSite(as(t, owner), show); err != nil {
		t.Fatal(err)
	}
	// What was asked for before is known for a moment; these were not.
	for badge, want := range map[string]string{"uptime-7d.svg": "unknown", "uptime-30d.svg": "unknown", "uptime-90d.svg": "unknown", "response.svg": "unknown"} {
		for _, token := range []string{"", other, "wrong"} {
			if b, err := ask(id, badge, token); err != nil || b.GetMessage() != want {
				t.Errorf("%s of a site that was always paused: %v, %v", badge, b, err)
			}
		}
	}
	for _, bad := range []string{"", "status", "status.png", "../status.svg", "uptime-31d.svg"} {
		if _, err := ask(id, bad, ""); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
