package probe

import (
	"context"
	"strconv"

	"github.com/Automattic/jetmon/internal/check"
)

// judge returns the failure that a final response means, or nil.
func (a *attempt) judge(ctx context.Context, resp *response) *failure {
	h, firewall := resp.head, a.firewalls.byHeader(resp.head)
	if a.method != check.MethodGet {
		return a.statusFailure(h, firewall)
	}
	search, rules := a.firewalls.search(h.status), &ruleSearch{}
	if h.status < 400 { // the page of a failing status is not looked at for rules
		rules = newRuleSearch(a.target, h)
	}
	var page pageReport
	var err error
	judged := a.newPageCheck(h)
	if limit := pageLimit(h, search); limit > 0 && h.hasBody(a.verb()) {
		a.trace.reach(check.PhaseBody)
		page, err = readPage(ctx, h, resp.body, reading{rules: rules, page: judged, firewalls: search, limit: limit, decoders: a.decoders})
	}
	if firewall == "" {
		firewall = search.match(h, page)
	}
	if f := a.statusFailure(h, firewall); f != nil {
		return f
	}
	rules.end()
	if err != nil && !rules.isComplete() && !a.onlyChecksPage() {
		return bodyFailure(err)
	}
	if f := rules.failure(page); f != nil {
		return f
	}
	return a.judgePage(judged, h, page.whole)
}

// onlyChecksPage reports whether the page is asked for only to be judged. A HEAD would have been
// believed, so a body that does not end, or breaks, is no failure of such a check.
func (a *attempt) onlyChecksPage() bool {
	return a.target.PageRule != check.PageIgnored && a.target.Method != check.MethodGet &&
		len(a.target.RequiredTexts)+len(a.target.ForbiddenTexts) == 0
}

// pageLimit is how much of a page is worth reading. A page that is already a failure is
// read only as far as needed to recognise a firewall.
func pageLimit(h head, s *firewallSearch) int64 {
	switch {
	case h.status < 400:
		return maxDecoded
	case s.looks():
		return maxFirewallText
	}
	return 0
}

// statusFailure returns the failure that status and firewall mean, before the body rules.
func (a *attempt) statusFailure(h head, firewall string) *failure {
	code := "http_" + strconv.Itoa(h.status)
	switch {
	case firewall != "":
		return down(check.FailureBlocked, firewall, "a firewall answered")
	case h.status == 403:
		return down(check.FailureBlocked, code, "")
	case h.status >= 200 && h.status < 400:
		return nil
	case h.status >= 400 && h.status < 500:
		return down(check.FailureClient, code, "")
	case h.status >= 500 && h.status < 600:
		return down(check.FailureServer, code, "")
	}
	return down(check.FailureProtocol, string(errBadStatus), "HTTP status "+strconv.Itoa(h.status))
}
