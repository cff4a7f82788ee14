package jetpack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/block"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
	"github.com/Automattic/jetmon/internal/jetpack/syncqueue"
)

// The steps of section 5.
const (
	checkSyncHealth = "sync_health"
	checkSyncQueue  = "sync_queue"
	checkSyncLock   = "sync_lock"
)

// When a queue deserves a warning: far below Jetpack's own limits, but beyond any healthy
// site.
const (
	warnLag  = 15 * time.Minute
	warnSize = 1000
)

// syncStatus is the relevant part of /jetpack/v4/sync/status. PHP sends numbers as numbers
// or as strings.
type syncStatus struct {
	Size  any `json:"queue_size"`
	Lag   any `json:"queue_lag"`
	Debug struct {
		Health string         `json:"sync_health"`
		Locks  map[string]any `json:"sync_locks"`
	} `json:"debug_details"`
}

// sync reads the state of the sync queue. It only reads: /sync/health accepts only POST,
// which sets it, so sync takes the health from /sync/status.
func (r *run) sync(ctx context.Context) {
	all := []string{checkSyncHealth, checkSyncQueue, checkSyncLock}
	switch {
	case r.target.Blog.IsZero():
		r.skipAll("no blog token is given", all...)
		return
	case r.api == "" || !r.hasREST:
		r.skipAll("the REST API does not offer jetpack/v4", all...)
		return
	}
	got, err := r.signedGet(ctx, "jetpack/v4/sync/status", "fields=debug_details")
	if err != nil {
		r.skipAll(err.Error(), all...)
		return
	}
	var s syncStatus
	if got.failure != "" || got.Status != http.StatusOK || json.Unmarshal(got.Body, &s) != nil {
		r.refusedSync(got)
		r.skipAll("the state of the queue is not known", checkSyncQueue, checkSyncLock)
		return
	}
	r.syncHealth(s.Debug.Health)
	r.syncQueue(s)
	r.syncLock(s)
}

func (r *run) signedGet(ctx context.Context, path, query string) (reply, error) {
	to := r.api + path + "?" + query + "&_for=jetpack"
	if strings.Contains(r.api, "?") {
		to = r.api + path + "&" + query + "&_for=jetpack"
	}
	signed, err := r.target.Blog.SignQuery(signature.Call{Method: http.MethodGet, URL: to, Time: r.now()})
	if err != nil {
		return reply{}, err
	}
	return r.send(ctx, request{method: http.MethodGet, url: signed})
}

func (r *run) refusedSync(got reply) {
	var e struct{ Code, Message string }
	f := Finding{Check: checkSyncHealth, Verdict: Fail, Cause: "sync_unreadable", Seen: "GET sync/status: " + got.seen(),
		Means: "The state of the sync queue cannot be read.", Do: "Look for a plugin or rule that blocks /wp-json for callers without a login."}
	if got.failure != "" {
		v := block.Of(got.failure)
		f.Cause, f.Means, f.Do = string(v.Kind), v.Means, v.Do
	} else if json.Unmarshal(got.Body, &e) == nil && e.Code != "" {
		f.Cause = quote(e.Code)
		f.Seen = fmt.Sprintf("GET sync/status: %d %s: %s", got.Status, quote(e.Code), quote(e.Message))
		if strings.HasPrefix(e.Code, "rest_invalid") {
			advice := (&signature.Error{Code: signature.Code(e.Code), Message: e.Message}).Explain()
			f.Means, f.Do = advice.Means, advice.Do
		}
	}
	r.add(f)
}

func (r *run) syncHealth(state string) {
	f := Finding{Check: checkSyncHealth, Verdict: Pass, Seen: "the site says " + quote(state)}
	switch state {
	case "in_sync":
	case "":
		f.Verdict, f.Seen = Skipped, "the site does not say"
	case "out_of_sync":
		f.Verdict, f.Cause = Warn, "out_of_sync"
		f.Means = "WordPress.com's copy of the site differs from the site."
		f.Do = "Start a full sync (Jetpack debugger, or wp jetpack sync start), and check that it ends."
	case "disabled":
		f.Verdict, f.Cause = Warn, "sync_disabled"
		f.Means = "Jetpack Sync is off: WordPress.com does not learn about changes."
		f.Do = "Turn it on again (option jetpack_sync_settings_disable, filter jetpack_sync_sender_should_load)."
	default:
		f.Verdict = Skipped
	}
	r.add(f)
}

func (r *run) syncQueue(s syncStatus) {
	size, okSize := number(s.Size)
	seconds, okLag := number(s.Lag)
	if !okSize || !okLag {
		r.skip(checkSyncQueue, "the site does not say how long the queue is")
		return
	}
	lag := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	f := Finding{Check: checkSyncQueue, Verdict: Pass, Seen: fmt.Sprintf("%.0f items, the oldest waiting for %s", size, lag),
		Do: "Run WP-Cron from the system (DISABLE_WP_CRON and a crontab), look for slow requests to WordPress.com, and empty the queue by wp jetpack sync start."}
	switch {
	case size > syncqueue.MaxItems && lag > syncqueue.MaxLag:
		f.Verdict, f.Cause = Fail, "sync_queue_full"
		f.Means = fmt.Sprintf("The queue is over %d items and %s behind: Jetpack accepts no more changes.", syncqueue.MaxItems, syncqueue.MaxLag)
	case lag > warnLag || size > warnSize && lag > time.Minute:
		f.Verdict, f.Cause = Warn, "sync_behind"
		f.Means = "Changes reach WordPress.com late: the sender does not keep up, or does not run."
	default:
		f.Do = ""
	}
	r.add(f)
}

// syncLock adds the finding about the queue's lock. Holding it for a moment is normal.
func (r *run) syncLock(s syncStatus) {
	held := ""
	for _, queue := range []string{"sync", "full_sync"} {
		if on, _ := s.Debug.Locks["queue_locked_"+queue].(bool); on {
			held = queue
			break
		}
	}
	seconds, _ := number(s.Lag)
	switch {
	case s.Debug.Locks == nil:
		r.skip(checkSyncLock, "the site does not say")
	case held == "":
		r.pass(checkSyncLock, "no lock is held")
	case seconds <= syncqueue.DefaultLease.Seconds():
		r.pass(checkSyncLock, "the queue "+held+" is being sent")
	default:
		r.add(Finding{Check: checkSyncLock, Verdict: Warn, Cause: "sync_lock_held",
			Seen:  fmt.Sprintf("the lock of the queue %s is held while items wait for %.0f s", held, seconds),
			Means: "A process holds the lock and does not send, or dies repeatedly while sending. Others get unclosed_buffer; when two believe that they own the lock, PHP's log says \"" + syncqueue.ErrMismatch.Error() + "\" (" + syncqueue.ErrMismatch.Code() + "): " + syncqueue.ErrMismatch.Explain(),
			Do:    "Look for PHP time-outs while sending; exclude options jpsq_* from a persistent object cache; then reset the locks (DELETE /wp-json/jetpack/v4/sync/locks, or wp jetpack sync reset)."})
	}
}

// number reads a number that PHP may have sent as a string.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		n, err := strconv.ParseFloat(v, 64)
		return n, err == nil && n >= 0 && n < 1e9
	}
	return 0, false
}
