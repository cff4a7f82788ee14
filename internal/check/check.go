package check

import "time"

// SiteID is the row id of a site (jetpack_monitor_site_id), greater than 0.
type SiteID int64

// BlogID is a WordPress.com blog, 0 when there is none. A blog may have several sites.
type BlogID int64

// BucketID places a site on a coordinator: 0..511.
type BucketID uint16

// Buckets is the number of buckets.
const Buckets = 512

// Status is what WordPress.com has been told about a site. The values are v1's.
type Status uint8

// The statuses.
const (
	StatusDown          Status = 0
	StatusRunning       Status = 1
	StatusConfirmedDown Status = 2
)

// Outcome of one check.
type Outcome uint8

// The outcomes. The zero value is no outcome.
const (
	OutcomeUp Outcome = iota + 1
	OutcomeDown
	// OutcomeUnknown means that the node cannot tell. It is never a failure of the site.
	OutcomeUnknown
)

// FailureKind is the class of a failure; the zero value is none.
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
	// FailurePolicy goes with OutcomeUnknown only.
	FailurePolicy
)

// Advisory is a remark about a site that stays up.
type Advisory uint8

// The advisories, numbered as in check.proto.
const (
	AdvisoryTLSExpiring Advisory = iota + 1
	AdvisoryTLSDeprecated
	AdvisorySlow
	AdvisoryIPv6Broken
	AdvisoryHeadUnsupported
)

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

// Method says how a site is asked. The zero value means MethodHeadThenGet.
type Method uint8

// The methods, numbered as in check.proto.
const (
	MethodUnspecified Method = iota
	MethodHeadThenGet
	MethodHead
	MethodGet
)

// RedirectPolicy says what a redirect means. The zero value means RedirectFollow.
type RedirectPolicy uint8

// The redirect policies, numbered as in check.proto.
const (
	RedirectUnspecified RedirectPolicy = iota
	RedirectFollow
	RedirectFail
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

// Header is one HTTP header field to add to a request.
type Header struct{ Name, Value string }

// Settings say how one site is checked, whoever checks it. The zero value is the default.
type Settings struct {
	Method         Method         `json:"method,omitempty"`
	RedirectPolicy RedirectPolicy `json:"redirect_policy,omitempty"`
	Headers        []Header       `json:"headers,omitempty"`
	RequiredTexts  []string       `json:"required_texts,omitempty"`
	ForbiddenTexts []string       `json:"forbidden_texts,omitempty"`
	// SlowAfter is when an answer counts as slow; 0 is never.
	SlowAfter time.Duration `json:"slow_after,omitempty"`
}

// Target is one check, complete.
type Target struct {
	URL string
	Settings
	// Timeout is the budget for everything; 0 means RoutineTimeout.
	Timeout time.Duration
	// HeadHostile says that HEAD is known to fail where GET works.
	HeadHostile bool
}

// Hop is one redirect that was followed.
type Hop struct {
	Status int
	URL    string
}

// Timing says where the time of a check went.
type Timing struct {
	DNS, Connect, TLS, FirstByte, Total time.Duration
}

// Observation is what one node saw in one check.
type Observation struct {
	Outcome Outcome
	Failure FailureKind
	// Reason is the sub-reason in lower_snake_case; an open set.
	Reason          string
	HTTPStatus      int
	Advisories      []Advisory
	Timing          Timing
	Phase           Phase
	Method          Method
	ResolvedAddress string
	Protocol        string
	Hops            []Hop
	// CertificateExpire is the end of the leaf's validity; zero without TLS.
	CertificateExpire time.Time
	// Headers is a small subset of the response's.
	Headers map[string]string
	// Detail is for people: at most MaxDetailBytes, no control characters.
	Detail string
}

// SelfCheck is a node's report about its own connectivity.
type SelfCheck struct {
	Healthy bool
	// Anchors is how many are configured; 0 means that nothing was measured.
	Anchors int
	// Age of the measurement when it was reported.
	Age    time.Duration
	Detail string
}
