package coordinator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// visits opens a session of a checker that visits these special addresses.
func (r *rig) visits(t *testing.T, node string, p *coordinatorv1.AddressPolicy) wire {
	t.Helper()
	st := r.open(t, hello(func(h *coordinatorv1.Hello) { h.Node, h.AddressPolicy = node, p }))
	hear(t, st)
	return st
}

// special lists URLs of special addresses; the last ones are metadata services.
func special() []string {
	return []string{
		"http://10.0.0.1/", "http://127.0.0.1:8080/", "http://0x7f.1/", "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://192.0.2.7/",
		"http://localhost/", "http://shop.localhost./", "http://169.254.169.254/latest/", "http://[fd00:ec2::254]/",
	}
}

func TestAURLThatNoCheckerVisitsIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.ready(t)
	sites, blog := monitorv1.NewSiteServiceClient(r.conn), int64(0)
	create := func(url string) error {
		blog++
		_, err := sites.CreateSite(t.Context(), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{Url: url, BlogId: blog}})
		return err
	}
	wantRefused := func(when string, refused ...string) {
		t.Helper()
		for _, url := range append(special(), "http://10.0.0.9:81/", "http://example.com/") {
			err := create(url)
			if slices.Contains(refused, url) != (err != nil) {
				t.Errorf("%s, %s: %v", when, url, err)
			}
			if err != nil && (status.Code(err) != codes.InvalidArgument || fieldOf(err) != "site.url" || !strings.Contains(err.Error(), "must be on the public Internet")) {
				t.Errorf("%s, %s: %v", when, url, err)
			}
		}
	}
	wantRefused("while no checker is connected")
	made := r.create(t, "http://10.0.0.2/")

	r.visits(t, "public", &coordinatorv1.AddressPolicy{Allowed: []string{"10.0.0.9:81"}})
	wantRefused("with a checker that visits one special address", special()...)
	update := func(url string, paths ...string) error {
		_, err := sites.UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{
			Site: &monitorv1.Site{SiteId: made.GetSiteId(), Url: url, Paused: true}, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths},
		})
		return err
	}
	if err := update("http://10.0.0.3/", "url"); fieldOf(err) != "site.url" {
		t.Errorf("another special address: %v", err)
	}
	if err := update("http://10.0.0.2/", "url", "paused"); err != nil {
		t.Errorf("the same address: %v", err)
	}

	r.visits(t, "private", &coordinatorv1.AddressPolicy{AllowPrivate: true})
	n := len(special())
	wantRefused("with one that visits private addresses", special()[n-2:]...)
	r.visits(t, "old", nil)
	wantRefused("with one that does not say")
}

func TestSpacesAroundAURLAreNotStored(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.create(t, " \t http://example.com/a\r\n")
	if made.GetUrl() != "http://example.com/a" {
		t.Errorf("created as %q", made.GetUrl())
	}
	sites := monitorv1.NewSiteServiceClient(r.conn)
	resp, err := sites.UpdateSite(t.Context(), &monitorv1.UpdateSiteRequest{Site: &monitorv1.Site{SiteId: made.GetSiteId(), Url: "\nhttp://example.com/b "}})
	if err != nil || resp.GetSite().GetUrl() != "http://example.com/b" {
		t.Errorf("changed to %v, %v", resp, err)
	}
	for _, url := range []string{" ", "http://example.com/ a", "\u00a0http://example.com/", "\x01http://example.com/"} {
		_, err := sites.CreateSite(t.Context(), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{Url: url, BlogId: 8}})
		if status.Code(err) != codes.InvalidArgument || fieldOf(err) != "site.url" {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestAnAddressPolicyIsBounded(t *testing.T) {
	t.Parallel()
	r := start(t)
	many := make([]string, 65)
	for i := range many {
		many[i] = fmt.Sprintf("127.0.0.1:%d", i+1)
	}
	for name, allowed := range map[string][]string{"65 exceptions": many, "a name": {"localhost:80"}, "no port": {"10.0.0.1"}} {
		st := r.open(t, hello(func(h *coordinatorv1.Hello) { h.AddressPolicy = &coordinatorv1.AddressPolicy{Allowed: allowed} }))
		if _, err := st.Recv(); status.Code(err) != codes.InvalidArgument || fieldOf(err) != "hello.address_policy.allowed" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
