package format

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

const kindPrefix, statePrefix, typePrefix = "SUBSCRIPTION_KIND_", "SUBSCRIPTION_STATE_", "EVENT_TYPE_"

// SubscriptionTitles are the titles of SubscriptionCells.
func SubscriptionTitles() []string {
	return []string{"ID", "NAME", "KIND", "STATE", "WHERE", "WHAT"}
}

// SubscriptionCells returns the row of a subscription.
func SubscriptionCells(s *monitorv1.Subscription) []string {
	return []string{
		strconv.FormatInt(s.GetSubscriptionId(), 10), s.GetName(), word(s.GetKind(), kindPrefix), word(s.GetState(), statePrefix),
		where(s), what(s.GetFilter()),
	}
}

// SubscriptionLine is a subscription in one line.
func SubscriptionLine(s *monitorv1.Subscription) string {
	return printable(fmt.Sprintf("%d  %s (%s to %s)", s.GetSubscriptionId(), s.GetName(), word(s.GetKind(), kindPrefix), where(s)))
}

func where(s *monitorv1.Subscription) string {
	if len(s.GetMailTo()) > 0 {
		return strings.Join(s.GetMailTo(), ",")
	}
	return s.GetUrl()
}

// what says in short which events a filter admits.
func what(f *monitorv1.SubscriptionFilter) string {
	parts := []string{"changes of status"}
	if len(f.GetTypes()) > 0 {
		parts = []string{strings.Join(typeWords(f.GetTypes()), ",")}
	}
	some := func(name string, values []string) {
		switch {
		case len(values) > 3:
			parts = append(parts, fmt.Sprintf("of %d %ss", len(values), name))
		case len(values) > 0:
			parts = append(parts, "of "+name+" "+strings.Join(values, ","))
		}
	}
	some("site", numbers(f.GetSiteIds()))
	some("blog", numbers(f.GetBlogIds()))
	some("tag", f.GetTags())
	some("host", f.GetHosts())
	some("advisory", advisoryWords(f.GetAdvisories()))
	return strings.Join(parts, " ")
}

func numbers(ids []int64) (all []string) {
	for _, id := range ids {
		all = append(all, strconv.FormatInt(id, 10))
	}
	return all
}

func typeWords(types []monitorv1.EventType) (all []string) {
	for _, t := range types {
		all = append(all, strings.ReplaceAll(word(t, typePrefix), "_", "-"))
	}
	return all
}

func advisoryWords(list []checkv1.Advisory) (all []string) {
	for _, a := range list {
		all = append(all, strings.ReplaceAll(word(a, "ADVISORY_"), "_", "-"))
	}
	return all
}

// Subscription writes all that is known of a subscription.
func Subscription(w io.Writer, s *monitorv1.Subscription) error {
	return write(w, func(p *page) { p.subscription(s) })
}

func (p *page) subscription(s *monitorv1.Subscription) {
	p.line("subscription\t%d", s.GetSubscriptionId())
	p.line("name\t%s", s.GetName())
	p.line("kind\t%s", word(s.GetKind(), kindPrefix))
	p.line("where\t%s", where(s))
	p.line("state\t%s since %s", word(s.GetState(), statePrefix), moment(s.GetStateTime()))
	if s.GetStateReason() != "" {
		p.line("because\t%s", s.GetStateReason())
	}
	p.line("told\t%s", what(s.GetFilter()))
	if s.GetDelay() != nil {
		p.line("delay\t%s before a site that is down is told", s.GetDelay().AsDuration().String())
	}
	if s.GetRate() != 0 || s.GetBurst() != 0 {
		p.line("at most\t%s a second, %d at once (0: the default)", strconv.FormatFloat(s.GetRate(), 'g', -1, 64), s.GetBurst())
	}
	for _, l := range s.GetLabels() {
		p.line("label\t%s=%s", l.GetName(), l.GetValue())
	}
	if s.GetHasBearerToken() {
		p.line("bearer token\tset")
	}
	if n := s.GetSigningSecrets(); n > 0 {
		p.line("signed with\t%s", Count(int(n), "secret"))
	}
	p.line("changed\t%s", moment(s.GetUpdateTime()))
	p.line("etag\t%s", s.GetEtag())
}

// NewSubscription writes a subscription and its new secret, if there is one, alone on the last
// line.
func NewSubscription(w io.Writer, s *monitorv1.Subscription, secret string) error {
	return write(w, func(p *page) {
		p.subscription(s)
		if secret != "" {
			p.line("")
			p.line("The secret that signs is shown this once:")
			p.line("%s", secret)
		}
	})
}

// SubscriptionTest writes what came of a test.
func SubscriptionTest(w io.Writer, t *monitorv1.TestSubscriptionResponse) error {
	return write(w, func(p *page) {
		p.line("%s after %s: %s", word(t.GetVerdict(), "DELIVERY_VERDICT_"), t.GetDuration().AsDuration().String(), t.GetText())
	})
}

// Deleted writes that something was deleted.
func Deleted(w io.Writer, what string, id int64) error {
	return write(w, func(p *page) { p.line("%s %d deleted", what, id) })
}
