package api

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator/edge/channel/post"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// wholeSubscription lists what a mask of all fields changes. bearer_token is not among them: it
// is not read, so that who sends back what was read would remove it.
func wholeSubscription() []string {
	return []string{"burst", "delay", "filter", "labels", "mail_to", "name", "rate", "url"}
}

// subscriptionFields lists all that a caller sets.
func subscriptionFields() []string { return append(wholeSubscription(), "bearer_token") }

// applySubscription copies the named fields into a subscription.
func applySubscription(s *subscription.Subscription, in *monitorv1.Subscription, paths []string) error {
	for _, path := range paths {
		if err := applySubscriptionField(s, in, path); err != nil {
			return err
		}
	}
	return nil
}

func applySubscriptionField(s *subscription.Subscription, in *monitorv1.Subscription, path string) error {
	switch path {
	case "name":
		if in.GetName() == "" {
			return fault.InvalidField("subscription.name", "must not be empty")
		}
		s.Name = in.GetName()
	case "kind":
		if kind := subscription.Kind(in.GetKind()); kind != s.Kind {
			return fault.InvalidField("subscription.kind", "cannot be changed: make another subscription")
		}
	case "url":
		// What was read is no other URL.
		if s.URL == "" || in.GetUrl() != shownURL(*s) {
			s.URL = in.GetUrl()
		}
	case "bearer_token":
		s.Secrets.Bearer = in.GetBearerToken()
	case "mail_to":
		s.To = in.GetMailTo()
	case "labels":
		return applyLabels(s, in.GetLabels())
	case "delay":
		if err := in.GetDelay().CheckValid(); in.GetDelay() != nil && err != nil {
			return fault.InvalidField("subscription.delay", "is no valid duration")
		}
		s.Delay = in.GetDelay().AsDuration()
	case "rate":
		s.Rate = in.GetRate()
	case "burst":
		s.Burst = int(in.GetBurst())
	default:
		return applyFilter(&s.Filter, in.GetFilter(), path)
	}
	return nil
}

func applyLabels(s *subscription.Subscription, labels []*monitorv1.SubscriptionLabel) error {
	s.Labels = nil
	for i, l := range labels {
		if _, twice := s.Labels[l.GetName()]; twice {
			return fault.InvalidField(fmt.Sprintf("subscription.labels[%d].name", i), "is there twice")
		}
		if s.Labels == nil {
			s.Labels = map[string]string{}
		}
		s.Labels[l.GetName()] = l.GetValue()
	}
	return nil
}

func applyFilter(f *event.Filter, in *monitorv1.SubscriptionFilter, path string) error {
	all := path == "filter"
	known := all
	one := func(name string) bool {
		is := all || path == "filter."+name
		known = known || is
		return is
	}
	if one("types") {
		f.Types = nil
		for _, t := range in.GetTypes() {
			f.Types = append(f.Types, event.Type(t))
		}
	}
	if one("site_ids") {
		f.Sites = nil
		for _, id := range in.GetSiteIds() {
			f.Sites = append(f.Sites, check.SiteID(id))
		}
	}
	if one("blog_ids") {
		f.Blogs = nil
		for _, id := range in.GetBlogIds() {
			f.Blogs = append(f.Blogs, check.BlogID(id))
		}
	}
	if one("tags") {
		f.Tags = in.GetTags()
	}
	if one("hosts") {
		f.Hosts = nil
		for i, text := range in.GetHosts() {
			host, err := record.LocateHost(text)
			if err != nil {
				return fault.InvalidField(fmt.Sprintf("subscription.filter.hosts[%d]", i), "%w", err)
			}
			f.Hosts = append(f.Hosts, host)
		}
	}
	if one("advisories") {
		f.Advisories = nil
		for _, a := range in.GetAdvisories() {
			f.Advisories = append(f.Advisories, a.String())
		}
	}
	if !known {
		return fault.New(fault.Internal, "no code applies %s, which a client may set", path)
	}
	return nil
}

// fits refuses fields that the kind does not have.
func fits(s subscription.Subscription) error {
	overHTTP := s.Kind != subscription.Email
	bearer := s.Kind == subscription.Webhook || s.Kind == subscription.Alertmanager || s.Kind == subscription.WPCOM
	switch {
	case s.Kind == subscription.KindNone:
		return fault.InvalidField("subscription.kind", "must be given")
	case s.URL != "" && !overHTTP:
		return fault.InvalidField("subscription.url", "is not of this kind")
	case len(s.To) > 0 && overHTTP:
		return fault.InvalidField("subscription.mail_to", "is not of this kind")
	case s.Secrets.Bearer != "" && !bearer:
		return fault.InvalidField("subscription.bearer_token", "is not of this kind")
	case len(s.Labels) > 0 && s.Kind != subscription.Alertmanager:
		return fault.InvalidField("subscription.labels", "is not of this kind")
	case s.Rate != 0 && s.Rate < leastRate:
		return fault.InvalidField("subscription.rate", "must be 0, or from %g to 10000", leastRate)
	case s.Kind == subscription.WPCOM && slices.ContainsFunc(s.Filter.Types, func(t event.Type) bool { return t > event.SiteUp }):
		return fault.InvalidField("subscription.filter.types", "must be changes of status: WPCOM has no form for others")
	}
	return nil
}

// keepsBearer refuses to send a bearer token that is there already to another origin: who may edit
// a subscription may not read its token, so nor have it sent to himself.
func keepsBearer(was, is subscription.Subscription, paths []string) error {
	if was.Secrets.Bearer == "" || slices.Contains(paths, "bearer_token") || post.SameOrigin(was.URL, is.URL) {
		return nil
	}
	return fault.InvalidField("subscription.bearer_token", "must be given anew, or as empty, with a URL that leads to another host")
}

// leastRate is the lowest rate: some 86 deliveries a day.
const leastRate = 0.001

// shownURL returns the URL of a subscription without its secrets.
func shownURL(s subscription.Subscription) string {
	return post.Masked(s.URL, s.Kind == subscription.Slack)
}

// subscriptionToProto converts a subscription, without its secrets.
func subscriptionToProto(s subscription.Subscription) *monitorv1.Subscription {
	p := &monitorv1.Subscription{
		SubscriptionId: s.ID, Name: s.Name, Kind: monitorv1.SubscriptionKind(s.Kind), MailTo: s.To,
		Filter: filterToProto(s.Filter), Rate: s.Rate, Burst: int32(s.Burst),
		State: monitorv1.SubscriptionState(s.State), StateReason: s.Why, StateTime: timestamp(s.Since),
		HasBearerToken: s.Secrets.Bearer != "", SigningSecrets: int32(len(s.Secrets.Signing)),
		CreateTime: timestamp(s.Created), UpdateTime: timestamp(s.Updated), Etag: subscriptionETag(s),
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		p.Labels = append(p.Labels, &monitorv1.SubscriptionLabel{Name: name, Value: s.Labels[name]})
	}
	if s.URL != "" {
		p.Url = shownURL(s)
	}
	if s.Delay != 0 {
		p.Delay = durationpb.New(s.Delay)
	}
	return p
}

func filterToProto(f event.Filter) *monitorv1.SubscriptionFilter {
	p := &monitorv1.SubscriptionFilter{Tags: f.Tags}
	for _, t := range f.Types {
		p.Types = append(p.Types, monitorv1.EventType(t))
	}
	for _, id := range f.Sites {
		p.SiteIds = append(p.SiteIds, int64(id))
	}
	for _, id := range f.Blogs {
		p.BlogIds = append(p.BlogIds, int64(id))
	}
	for _, h := range f.Hosts {
		p.Hosts = append(p.Hosts, hostText(h))
	}
	for _, a := range f.Advisories {
		p.Advisories = append(p.Advisories, checkv1.Advisory(checkv1.Advisory_value[a]))
	}
	if len(p.Types)+len(p.SiteIds)+len(p.BlogIds)+len(p.Tags)+len(p.Hosts)+len(p.Advisories) == 0 {
		return nil
	}
	return p
}

// hostText spells a host as LocateHost reads it.
func hostText(l record.Location) string {
	host := l.Host
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() && l.Port == 0 {
		host = "[" + host + "]"
	}
	if l.Port != 0 {
		return net.JoinHostPort(host, strconv.Itoa(int(l.Port)))
	}
	return host
}

func cloneFilter(f event.Filter) event.Filter {
	return event.Filter{
		Types: slices.Clone(f.Types), Sites: slices.Clone(f.Sites), Blogs: slices.Clone(f.Blogs), Tags: slices.Clone(f.Tags),
		Hosts: slices.Clone(f.Hosts), Advisories: slices.Clone(f.Advisories),
	}
}

// subscriptionETag returns a checksum of which revision of a subscription this is.
func subscriptionETag(s subscription.Subscription) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "subscription %d %d %d", s.ID, s.Revision, s.Created.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(sum[:etagBytes])
}

// checkSubscriptionETag refuses an edit by a caller who has read another revision; "" is any.
func checkSubscriptionETag(s subscription.Subscription, etag string) error {
	current := subscriptionETag(s)
	if etag == "" || etag == current {
		return nil
	}
	return fault.New(fault.Conflict, "subscription %d was edited since it was read with the etag %q: read it again", s.ID, fault.Clip(etag, maxQuote)).
		With(&errdetails.ErrorInfo{Domain: "jetmon.coordinator", Reason: "ETAG_MISMATCH", Metadata: map[string]string{etagField: current}})
}

// seesSubscription reports whether a subscription exists for a caller: one that is limited to
// blogs sees those that tell of its blogs only.
func seesSubscription(c access.Caller, s subscription.Subscription) bool {
	if !c.Limited() {
		return true
	}
	return len(s.Filter.Blogs) > 0 && !slices.ContainsFunc(s.Filter.Blogs, func(b check.BlogID) bool { return !c.Sees(b) })
}
