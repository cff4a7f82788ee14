package check

import "time"

// SiteID is the row id of a site (jetpack_monitor_site_id), greater than 0.
type SiteID int64

// BlogID identifies a WordPress.com blog, 0 when there is none. A blog may have several
// sites.
type BlogID int64

// BucketID is the bucket of a site, 0..511, which decides its coordinator.
type BucketID uint16

// Buckets is the number of buckets.
const Buckets = 512

// Status is a site's status as WordPress.com knows it. The values are v1's.
type Status uint8

// The statuses.
const (
	StatusDown          Status = 0
	StatusRunning       Status = 1
	StatusConfirmedDown Status = 2
)

// Outcome is the outcome of one check.
type Outcome uint8

// The outcomes. The zero value is no outcome.
const (
	OutcomeUp Outcome = iota + 1
	OutcomeDown
	// OutcomeUnknown means that the node cannot tell. It is never a failure of the site.
	OutcomeUnknown
)

// FailureKind is the kind of a failure; the zero value is none.
type FailureKind uint8

// The kinds of failure, numbered as in check.proto.
const (
	FailureNone FailureKind = iota
	FailureDNS
	FailureConnect
	FailureTLS
	FailureTimeout
	FailureServer
	FailureBlocked
	FailureClient
	FailureRedirect
	FailureContent
	FailurePartial
	FailureProtocol
	// FailurePolicy occurs only with OutcomeUnknown: the target itself may not be probed.
	FailurePolicy
)

// Advisory is a remark about a site that is up.
type Advisory uint8

// The advisories, numbered as in check.proto.
const (
	AdvisoryTLSExpiring Advisory = iota + 1
	AdvisoryTLSDeprecated
	AdvisorySlow
	AdvisoryIPv6Broken
	AdvisoryHeadUnsupported
	// AdvisoryPageBroken means that the page is a failure although its status is good.
	AdvisoryPageBroken
	AdvisoryPageEmpty
	// AdvisoryPlaceholder means a parking page, or the page of a new server.
	AdvisoryPlaceholder
	AdvisoryDirectoryListing
	AdvisoryInstallScreen
	AdvisoryPHPSource
	// AdvisoryWordPressMessage means a page of WordPress's wp_die with a text of the site's.
	AdvisoryWordPressMessage
	// AdvisoryTLSInvalid means that the certificate does not verify.
	AdvisoryTLSInvalid
	// AdvisorySlowerThanUsual means that the site takes much longer than in the week before. No
	// check sees it: it comes from the history of all of them.
	AdvisorySlowerThanUsual
	// AdvisoryLast is the last of them.
	AdvisoryLast = AdvisorySlowerThanUsual
)

// IsOfPage reports whether an advisory comes from judging a page. One that does is true until
// the next page is judged.
func (a Advisory) IsOfPage() bool { return a >= AdvisoryPageBroken && a <= AdvisoryWordPressMessage }

// IsOfHistory reports whether an advisory comes from many checks, and so is in none.
func (a Advisory) IsOfHistory() bool { return a == AdvisorySlowerThanUsual }

// Phase is how far a check got.
type Phase uint8

// The phases, numbered as in check.proto.
const (
	PhaseNone Phase = iota
	PhaseDNS
	PhaseConnect
	PhaseTLS
	PhaseRequest
	PhaseResponse
	PhaseBody
	PhaseDone
)

// Method selects the HTTP methods of a check. The zero value means MethodHeadThenGet.
type Method uint8

// The methods, numbered as in check.proto.
const (
	MethodUnspecified Method = iota
	MethodHeadThenGet
	MethodHead
	MethodGet
)

// RedirectPolicy selects how a check treats redirects. The zero value means RedirectFollow.
type RedirectPolicy uint8

// The redirect policies, numbered as in check.proto.
const (
	RedirectUnspecified RedirectPolicy = iota
	RedirectFollow
	RedirectFail
)

// PageCheck selects how often a site's page is judged. The zero value means one routine
// check in twelve.
type PageCheck uint8

// The values, numbered as in check.proto.
const (
	PageCheckDefault PageCheck = iota
	PageCheckNever
	PageCheckAlways
)

// TLSErrors selects what a check makes of a certificate that does not verify. The zero value
// means what the fleet has; for a check, that the site is down.
type TLSErrors uint8

// The values, numbered as in check.proto.
const (
	TLSErrorsDefault TLSErrors = iota
	// TLSErrorsDown: the site is down.
	TLSErrorsDown
	// TLSErrorsAdvise: it is an advisory, and the site is judged by its answer.
	TLSErrorsAdvise
)

// PageRule selects what a check makes of a page that is a failure although its status is
// good. The zero value means that the page is not judged.
type PageRule uint8

// The rules, numbered as in check.proto.
const (
	PageIgnored PageRule = iota
	// PageAdvised: it is an advisory.
	PageAdvised
	// PageDecides: the site is down.
	PageDecides
)

// PageState is what a page check saw of the page.
type PageState uint8

// The states, numbered as in check.proto.
const (
	PageNotJudged PageState = iota
	PageFilled
	PageEmpty
)

// Limits and defaults of a check.
const (
	MaxURLBytes    = 300
	MaxRedirects   = 10
	MaxDetailBytes = 200
	MaxTimeout     = 60 * time.Second
	// RoutineTimeout is the budget of a scheduled check of a site that is up, VerifyTimeout
	// that of a re-check, of a verification and of every check of a site in trouble.
	RoutineTimeout = 10 * time.Second
	VerifyTimeout  = 20 * time.Second
)

// Header is an HTTP header field to add to a request.
type Header struct{ Name, Value string }

// Settings describe how to check one site, on any node. The zero value is the default.
type Settings struct {
	Method         Method         `json:"method,omitempty"`
	RedirectPolicy RedirectPolicy `json:"redirect_policy,omitempty"`
	Headers        []Header       `json:"headers,omitempty"`
	RequiredTexts  []string       `json:"required_texts,omitempty"`
	ForbiddenTexts []string       `json:"forbidden_texts,omitempty"`
	// SlowAfter is the time after which an answer counts as slow; 0 means never.
	SlowAfter time.Duration `json:"slow_after,omitempty"`
	PageCheck PageCheck     `json:"page_check,omitempty"`
	TLSErrors TLSErrors     `json:"tls_errors,omitempty"`
}

// Target is all that a checker needs to know to probe a site.
type Target struct {
	URL string
	Settings
	// Timeout is the budget for everything; 0 means RoutineTimeout.
	Timeout time.Duration
	// HeadHostile is true when HEAD is known to fail where GET works.
	HeadHostile bool
	// PageRule says what a broken page means; unless it is PageIgnored, the check is a GET.
	PageRule PageRule
	// PageWasFilled is true when the page was not empty when it was last judged: an empty
	// page is a failure then, and otherwise an advisory.
	PageWasFilled bool
}

// Hop is a redirect that the check followed.
type Hop struct {
	Status int
	URL    string
}

// Timing holds the durations of the parts of a check.
type Timing struct {
	DNS, Connect, TLS, FirstByte, Total time.Duration
}

// Observation is what one node saw in one check.
type Observation struct {
	Outcome Outcome
	Failure FailureKind
	// Reason refines Failure, in lower_snake_case; the set of reasons is open.
	Reason          string
	HTTPStatus      int
	Advisories      []Advisory
	PageState       PageState `json:",omitempty"`
	Timing          Timing
	Phase           Phase
	Method          Method
	ResolvedAddress string
	Protocol        string
	Hops            []Hop
	// CertificateExpire is the end of the leaf's validity; zero without TLS.
	CertificateExpire time.Time
	// CertificateIssuer is who issued the certificate that does not verify; empty where it does,
	// or issued itself.
	CertificateIssuer string `json:",omitempty"`
	// Headers is a small subset of the response's header.
	Headers map[string]string
	// Detail is for people: at most MaxDetailBytes, no control characters.
	Detail string
}

// SelfCheck is a node's report about its own connectivity.
type SelfCheck struct {
	Healthy bool
	// Anchors is the number of configured anchors; 0 means that nothing was measured.
	Anchors int
	// Age is the age of the measurement at the time of the report.
	Age    time.Duration
	Detail string
}
