package wpcom

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// Limits of a notification on the wire.
const (
	// maxChecks bounds the checks that one notification lists. When there are more, the
	// first and the newest stay, and the oldest of the others are left out.
	maxChecks = 32
	// maxQueryBytes bounds the encoded data parameter, so that the request line stays
	// under the 8 KiB that web servers commonly take. Checks are left out in the same
	// order until it fits, down to one; with one check, the URL of any site fits.
	maxQueryBytes = 6 << 10

	// maxHostBytes bounds the name of a checking host; longer names are clipped.
	maxHostBytes = 128
)

// The types of a check in v1.
const (
	typeChecker   = 1
	typeVeriflier = 2
)

// v1's error codes, which tell why there is no HTTP status.
const (
	errorNone            = 0
	errorConnect         = 995
	errorRedirectConnect = 996
	errorRedirectTarget  = 997
	errorNoAnswer        = 998
	errorNotHTTP         = 999
)

// payload is a notification as v1 wrote it, with the fields in v1's order.
type payload struct {
	BlogID           check.BlogID `json:"blog_id"`
	MonitorURL       string       `json:"monitor_url"`
	StatusID         check.Status `json:"status_id"`
	LastCheck        *string      `json:"last_check"`
	LastStatusChange *string      `json:"last_status_change"`
	Checks           []entry      `json:"checks"`
	Token            string       `json:"token"`
}

// entry is one check of a payload.
type entry struct {
	Type   int          `json:"type"`
	Host   string       `json:"host"`
	Status check.Status `json:"status"`
	RTT    int64        `json:"rtt"`
	Code   int          `json:"code"`
	// ErrorCode is nil, and absent from the JSON, in a veriflier's check: v1's verifliers
	// sent none.
	ErrorCode *int `json:"error_code,omitempty"`
}

// wire is v1's form of notifications.
type wire struct {
	token string
	// hosts has the hosts of the verifliers by name. v1 knew a veriflier by its host; one
	// that is no longer configured has its name instead.
	hosts map[string]string
}

// encode returns the query-encoded value of the data parameter: the notification's v1
// payload as JSON.
func (w wire) encode(c record.Change) (query string, err error) {
	p := w.payload(c)
	for {
		text, err := marshal(p)
		if err != nil {
			return "", err
		}
		query = queryEscape(string(text))
		if len(query) <= maxQueryBytes || len(p.Checks) <= 1 {
			return query, nil
		}
		p.Checks = slices.Delete(p.Checks, 1, 2)
	}
}

// V1 returns a change in v1's form as JSON, without the token. hosts has the hosts of the
// verifliers by name.
func V1(c record.Change, hosts map[string]string) []byte {
	p := wire{hosts: hosts}.payload(c)
	text, err := marshal(struct {
		payload
		Token *string `json:"token,omitempty"` // hides the payload's
	}{payload: p})
	if err != nil {
		return []byte("{}") // a payload has nothing that JSON does not have
	}
	return text
}

// payload converts a change to v1's form. last_status_change is the time of the change
// before this one, null when there was none: v1 sent the row as it had read it, and the
// receiver of a recovery learns from it since when the site was down.
func (w wire) payload(c record.Change) payload {
	checks := w.entries(c)
	if over := len(checks) - maxChecks; over > 0 {
		checks = slices.Delete(checks, 1, 1+over)
	}
	return payload{
		BlogID:           c.BlogID,
		MonitorURL:       c.URL,
		StatusID:         c.To,
		LastCheck:        isoTime(c.LastCheck),
		LastStatusChange: isoTime(c.Since),
		Checks:           checks,
		Token:            w.token,
	}
}

// entries lists the checkers' checks and then the verifliers' votes. v1 knows only
// offline and online, so entries leaves out checks and votes that are UNKNOWN.
func (w wire) entries(c record.Change) []entry {
	list := make([]entry, 0, len(c.Checks)+quorumVoters)
	for _, l := range c.Checks {
		status, known := seen(l.Observation.Outcome)
		switch {
		case !known:
		case l.Veriflier:
			list = append(list, w.veriflierEntry(l.Node, status, &l.Observation))
		default:
			// v1 put the site's new status on its own check, so that a site that is
			// still down an hour later reads 2, not 0.
			if status == check.StatusDown && c.To == check.StatusConfirmedDown {
				status = c.To
			}
			list = append(list, checkerEntry(l.Node, status, &l.Observation))
		}
	}
	if c.Ballot == nil {
		return list
	}
	for _, v := range c.Ballot.Votes {
		switch v.Value {
		case quorum.Down:
			list = append(list, w.veriflierEntry(v.Veriflier, check.StatusDown, v.Observation))
		case quorum.Up:
			list = append(list, w.veriflierEntry(v.Veriflier, check.StatusRunning, v.Observation))
		}
	}
	return list
}

// quorumVoters is the usual number of votes in a ballot; it only sizes a slice.
const quorumVoters = 8

// seen returns v1's status for an outcome; false for one that v1 does not know.
func seen(o check.Outcome) (status check.Status, known bool) {
	switch o {
	case check.OutcomeUp:
		return check.StatusRunning, true
	case check.OutcomeDown:
		return check.StatusDown, true
	}
	return 0, false
}

func checkerEntry(host string, status check.Status, o *check.Observation) entry {
	code, errorCode := Codes(o)
	return entry{
		Type: typeChecker, Host: clip(host), Status: status,
		RTT: milliseconds(o.Timing.Total), Code: code, ErrorCode: &errorCode,
	}
}

func (w wire) veriflierEntry(name string, status check.Status, o *check.Observation) entry {
	e := entry{Type: typeVeriflier, Host: clip(cmp.Or(w.hosts[name], name)), Status: status}
	if o != nil {
		e.Code, _ = Codes(o)
		e.RTT = milliseconds(o.Timing.Total)
	}
	return e
}

// Codes returns the HTTP status and the error code that v1 would have sent for an
// observation. A failure that v1 did not know keeps the status of the response, such as
// 200 with a missing text, or the 3xx of a redirect loop.
func Codes(o *check.Observation) (code, errorCode int) {
	switch o.Failure {
	case check.FailureDNS, check.FailureTLS:
		return 0, errorConnect
	case check.FailureConnect:
		if o.Phase == check.PhaseResponse {
			return 0, errorNoAnswer // there was a connection, which was reset or lost
		}
		if len(o.Hops) > 0 {
			return 0, errorRedirectConnect
		}
		return 0, errorConnect
	case check.FailureTimeout, check.FailurePartial:
		return 0, errorNoAnswer
	case check.FailureProtocol:
		if o.Reason == "empty_reply" {
			return 0, errorNoAnswer
		}
		return errorNotHTTP, errorNotHTTP
	case check.FailureRedirect:
		switch o.Reason {
		case "no_location", "bad_location", "scheme", "unroutable":
			return 0, errorRedirectTarget
		}
	}
	if o.HTTPStatus == 0 && o.Outcome != check.OutcomeUp {
		return 0, errorNoAnswer
	}
	return o.HTTPStatus, errorNone
}

// marshal does not escape & < >: the query encoding does, and escaping them twice only
// makes the URL longer.
func marshal(p any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		return nil, fmt.Errorf("encode a notification: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// queryEscape writes a space as %20, which every decoder understands; "+" is a space only
// to those that decode forms.
func queryEscape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// withData adds the encoded data parameter to the configured URL and keeps its own query.
func withData(base *url.URL, query string) *url.URL {
	u := *base
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "data=" + query
	return &u
}

// isoTime writes a time as JavaScript's toISOString does; nil is JSON's null.
func isoTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Format("2006-01-02T15:04:05.000Z"))
}

func milliseconds(d time.Duration) int64 { return d.Round(time.Millisecond).Milliseconds() }

// clip shortens the name of a host, without leaving half a rune at its end.
func clip(host string) string {
	return strings.ToValidUTF8(host[:min(len(host), maxHostBytes)], "")
}
