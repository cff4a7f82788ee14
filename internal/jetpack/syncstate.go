package jetpack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/syncqueue"
)

// syncState is the relevant part of /jetpack/v4/sync/status. PHP sends numbers as numbers
// or as strings, and false or an empty string for what is not set.
type syncState struct {
	Started  any             `json:"started"`
	Finished any             `json:"finished"`
	Progress json.RawMessage `json:"progress"`
	Size     any             `json:"queue_size"`
	Lag      any             `json:"queue_lag"`
	NextSync any             `json:"queue_next_sync"`
	CronSize any             `json:"cron_size"`
	NextCron any             `json:"next_cron"`
	Debug    struct {
		Allowed     *bool           `json:"sync_allowed"`
		Enabled     *bool           `json:"is_sync_enabled"`
		NetworkOff  any             `json:"jetpack_sync_network_disable"`
		Offline     any             `json:"is_offline_mode"`
		SafeMode    any             `json:"in_safe_mode"`
		Staging     any             `json:"is_staging_site"`
		Health      string          `json:"sync_health"`
		Locks       map[string]any  `json:"sync_locks"`
		LastSuccess any             `json:"last_succesful_sync"`
		Errors      json.RawMessage `json:"sync_error_log"`
	} `json:"debug_details"`

	// settings are those of /jetpack/v4/sync/settings; nil ones are not known.
	settings struct {
		Sender       any `json:"sync_sender_enabled"`
		FullSender   any `json:"full_sync_sender_enabled"`
		ByCron       any `json:"sync_via_cron"`
		ChecksumsOff any `json:"checksum_disable"`
	}
	// now is the time by the site's clock.
	now time.Time
	// reason is the cause that explains a queue that is not sent; empty when none is known.
	reason string
}

// queue returns the length of the queue, and how long its oldest item waits.
func (s *syncState) queue() (size int, lag time.Duration, ok bool) {
	n, okSize := number(s.Size)
	seconds, okLag := number(s.Lag)
	return int(n), max(0, time.Duration(seconds*float64(time.Second)).Round(time.Second)), okSize && okLag
}

// lastSuccess returns when the sender last succeeded; ok is false when it never has.
func (s *syncState) lastSuccess() (at time.Time, ok bool) { return moment(s.Debug.LastSuccess) }

// sendError is an error of the sender.
type sendError struct {
	at         time.Time
	code, text string
}

// errors returns the errors of the sender that are newer than its last success, the newest
// first. All counts the older ones, too.
func (s *syncState) errors() (fresh []sendError, all int) {
	var log map[string]json.RawMessage
	if json.Unmarshal(s.Debug.Errors, &log) != nil {
		return nil, 0 // an empty string, or an empty list
	}
	last, _ := s.lastSuccess()
	for stamp, raw := range log {
		var e struct {
			Errors map[string][]string `json:"errors"`
		}
		at, ok := moment(stamp)
		if json.Unmarshal(raw, &e) != nil || !ok {
			continue
		}
		all++
		for code, texts := range e.Errors {
			if at.After(last) {
				fresh = append(fresh, sendError{at, code, strings.Join(texts, " ")})
			}
		}
	}
	slices.SortFunc(fresh, func(a, b sendError) int {
		return cmp.Or(b.at.Compare(a.at), strings.Compare(a.code, b.code))
	})
	return fresh, all
}

// cause returns the name of the cause that an error of the sender shows.
func (e sendError) cause() string {
	text := strings.ToLower(e.text)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	switch {
	case e.code != "http_request_failed" && e.code != "http_request_not_executed" && !has("curl error"):
		return syncRefused
	case has("curl error 6:", "resolve host", "name or service not known", "getaddrinfo"):
		return syncDNS
	case has("curl error 35:", "curl error 51:", "curl error 58:", "curl error 59:", "curl error 60:", "curl error 77:", "certificate", "ssl"):
		return syncTLS
	}
	return syncOutbound
}

// sender tells what became of the last sends.
func (s *syncState) sender() view {
	if s.Debug.Locks == nil {
		return unsaid()
	}
	last, sent := s.lastSuccess()
	seen := "it has never succeeded"
	if sent {
		seen = "it last succeeded " + ago(s.now.Sub(last))
	}
	size, lag, _ := s.queue()
	fresh, all := s.errors()
	until, waits := moment(s.Debug.Locks["retry_time_sync"])
	next, throttled := number(s.NextSync)
	throttle := time.Duration(next * float64(time.Second)).Round(time.Second)
	switch {
	case len(fresh) > 0:
		e := fresh[0]
		return warned(e.cause(), fmt.Sprintf("%s; %s since, the last %s: %s: %s", seen, count(len(fresh), "error"), ago(s.now.Sub(e.at)), quote(e.code), quote(e.text)))
	case waits && until.Sub(s.now) > warnWait:
		return warned(syncWaits, fmt.Sprintf("%s; it is to wait for %s more", seen, until.Sub(s.now).Round(time.Second)))
	case throttled && throttle > warnThrottle && size > 0:
		return warned(syncThrottled, fmt.Sprintf("%s; its next turn is in %s", seen, throttle))
	case lag > syncqueue.MaxLag && s.now.Sub(last) > syncqueue.MaxLag && s.allowed().verdict == Pass && s.cron().cause == "":
		return warned(syncSilent, seen+", and no error is on record")
	case isOn(s.Debug.Locks["dedicated_sync_temporary_disable_flag"]):
		return warned(syncDedicatedOff, seen+"; dedicated sync is given up for now")
	case all > 0:
		return passed(fmt.Sprintf("%s, after %s before", seen, count(all, "error")))
	}
	return passed(seen)
}

// full tells how far the last full sync is.
func (s *syncState) full() view {
	started, ok := moment(s.Started)
	if !ok {
		return passed("none is on record")
	}
	if finished, ok := moment(s.Finished); ok && !finished.Before(started) {
		return passed("the last one ended " + ago(s.now.Sub(finished)))
	}
	seen := "one has been running for " + s.now.Sub(started).Round(time.Second).String()
	if percent, ok := s.percent(); ok {
		seen += fmt.Sprintf(", %d %% are sent", percent)
	}
	last, _ := s.lastSuccess()
	if s.now.Sub(started) > stuckAfter && s.now.Sub(last) > time.Hour {
		return warned(cmp.Or(s.reason, syncFullStuck), seen)
	}
	return passed(seen)
}

// percent is how much of a full sync is sent.
func (s *syncState) percent() (int, bool) {
	var modules map[string]struct{ Total, Sent any }
	if json.Unmarshal(s.Progress, &modules) != nil {
		return 0, false
	}
	total, sent := 0.0, 0.0
	for _, m := range modules {
		t, _ := number(m.Total)
		n, _ := number(m.Sent)
		total, sent = total+t, sent+min(t, n)
	}
	return int(100 * sent / max(1, total)), total > 0
}

// number reads a number that PHP may have sent as a string.
func number(v any) (float64, bool) {
	n, ok := v.(float64)
	if text, isText := v.(string); isText {
		var err error
		n, err = strconv.ParseFloat(text, 64)
		ok = err == nil
	}
	return n, ok && !math.IsNaN(n) && math.Abs(n) < 1e11
}

// isOn reports whether PHP takes a value for true.
func isOn(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		return v != "" && v != "0"
	}
	n, ok := number(v)
	return ok && n != 0
}

// moment reads a time in seconds since 1970; ok is false for false, 0 and an empty string.
func moment(v any) (at time.Time, ok bool) {
	n, ok := number(v)
	if !ok || n <= 0 {
		return time.Time{}, false
	}
	return time.UnixMicro(int64(n * 1e6)), true
}

// ago says how long ago something was.
func ago(d time.Duration) string { return max(0, d).Round(time.Second).String() + " ago" }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
