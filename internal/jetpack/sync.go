package jetpack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/block"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
	"github.com/Automattic/jetmon/internal/jetpack/syncqueue"
)

// The steps of section 5.
const (
	checkSyncAllowed = "sync_allowed"
	checkSyncHealth  = "sync_health"
	checkSyncQueue   = "sync_queue"
	checkSyncLock    = "sync_lock"
	checkSyncSender  = "sync_sender"
	checkFullSync    = "full_sync"
	checkCron        = "wp_cron"
)

// When the synchronisation deserves a warning: far below Jetpack's own limits, but beyond
// any healthy site.
const (
	warnLag  = 15 * time.Minute
	warnSize = 1000
	// warnWait is how long WordPress.com may ask the sender to wait, and warnThrottle how far
	// the sender itself may put off its next turn.
	warnWait, warnThrottle = time.Hour, 15 * time.Minute
	// warnCron is how late a task may be on a site without visitors; ours are some.
	warnCron = time.Hour
	// stuckAfter is how long a full sync may take while nothing is sent.
	stuckAfter = 6 * time.Hour
)

// sync reads the site's own view of its synchronisation. It only reads, and asks the site
// not to send because of the call: /sync/health can only be set, and is not asked.
func (r *run) sync(ctx context.Context) {
	rest := []string{checkSyncHealth, checkSyncQueue, checkSyncLock, checkSyncSender, checkFullSync, checkCron}
	all := append([]string{checkSyncAllowed}, rest...)
	switch {
	case r.target.Blog.IsZero():
		r.skipAll("no blog token is given", all...)
		return
	case r.noSignature != nil:
		r.skipAll("the site refuses the signature ("+r.noSignature.Name+")", all...)
		return
	case r.api == "" || !r.hasREST:
		r.skipAll("the REST API does not offer jetpack/v4", all...)
		return
	}
	got, err := r.signedGet(ctx, r.target.Blog, "jetpack/v4/sync/status", "fields=debug_details")
	if err == nil && len(got.Body) >= maxBody {
		// The log of errors has whole pages of others in it; the rest is small.
		got, err = r.signedGet(ctx, r.target.Blog, "jetpack/v4/sync/status", "")
	}
	if err != nil {
		r.skipAll(err.Error(), all...)
		return
	}
	s := syncState{now: r.siteNow()}
	if got.failure != "" || got.Status != http.StatusOK || !readAmong(got.Body, &s) || s.Size == nil {
		r.refusedSync(got)
		r.skipAll("the state of the queue is not known", rest...)
		return
	}
	r.syncSettings(ctx, &s)
	allowed, sender, cron := s.allowed(), s.sender(), s.cron()
	// The first of them that is at fault explains the queue as well.
	for _, v := range []view{allowed, sender, cron} {
		if v.cause != "" && syncCause(v.cause).Weight < cause.Minor && s.reason == "" {
			s.reason = v.cause
		}
	}
	r.say(checkSyncAllowed, allowed)
	r.say(checkSyncHealth, s.health())
	r.say(checkSyncQueue, s.length())
	r.say(checkSyncLock, s.lock())
	r.say(checkSyncSender, sender)
	r.say(checkFullSync, s.full())
	r.say(checkCron, cron)
}

// view is what the state of the synchronisation says about one step.
type view struct {
	verdict Verdict
	// cause is empty when nothing is wrong.
	cause, seen string
}

func passed(seen string) view        { return view{verdict: Pass, seen: seen} }
func unsaid() view                   { return view{verdict: Skipped, seen: "the site does not say"} }
func warned(cause, seen string) view { return view{Warn, cause, seen} }
func failed(cause, seen string) view { return view{Fail, cause, seen} }

// say adds a view as the finding of a step.
func (r *run) say(check string, v view) {
	if v.cause == "" {
		r.add(Finding{Check: check, Verdict: v.verdict, Seen: v.seen})
		return
	}
	r.show(check, v.verdict, syncCause(v.cause), v.seen)
}

// readAmong decodes the JSON object in an answer, whatever a warning of PHP prints around it:
// the step about the REST API has that.
func readAmong(body []byte, v any) bool {
	at := bytes.IndexByte(body, '{')
	return at >= 0 && json.NewDecoder(bytes.NewReader(body[at:])).Decode(v) == nil
}

// siteNow is the time by the site's clock.
func (r *run) siteNow() time.Time {
	if r.provenClock != nil {
		return r.now().Add(r.misled.Ahead)
	}
	if r.hasClock {
		return r.now().Add(r.clock)
	}
	return r.now()
}

// syncSettings asks for the settings, which the status does not tell. Without an answer they
// stay unknown.
func (r *run) syncSettings(ctx context.Context, s *syncState) {
	got, err := r.signedGet(ctx, r.target.Blog, "jetpack/v4/sync/settings", "_fields=sync_sender_enabled,full_sync_sender_enabled,sync_via_cron,checksum_disable")
	if err != nil || got.failure != "" || got.Status != http.StatusOK {
		return
	}
	readAmong(got.Body, &s.settings) // else they are unknown
}

func (r *run) signedGet(ctx context.Context, token signature.Credential, path, query string) (reply, error) {
	mark := "?"
	if strings.Contains(r.api, "?") {
		mark = "&"
	}
	to := r.api + path + mark + "_for=jetpack&jetpack_sync_read_only=1"
	if query != "" {
		to += "&" + query
	}
	signed, err := r.misled.Sign(token, signature.Call{Method: http.MethodGet, URL: to}, r.now())
	if err != nil {
		return reply{}, err
	}
	return r.send(ctx, request{method: http.MethodGet, url: signed})
}

// refusedSync adds the finding about an answer that is not the state.
func (r *run) refusedSync(got reply) {
	var e struct{ Code, Message string }
	c, seen := syncCause(syncUnreadable), "GET sync/status: "+got.seen()
	switch {
	case got.failure != "":
		v := block.Of(got.failure)
		c = v.Cause
	case json.Unmarshal(got.Body, &e) == nil && e.Code != "":
		seen = fmt.Sprintf("GET sync/status: %d %s: %s", got.Status, quote(e.Code), quote(e.Message))
		bad, unsigned := strings.HasPrefix(e.Code, "rest_invalid_"), e.Code == "invalid_user_permission_sync"
		switch f := r.find(checkBlogToken); {
		case (bad || unsigned) && f != nil && f.Verdict == Fail && len(r.misled.Causes) == 0:
			// Without the complete Jetpack a site takes refused calls for unsigned ones.
			r.skip(checkSyncAllowed, "the site refuses the blog token, as signed_by_blog says")
			return
		case bad:
			c = syncCause(syncBadSignature)
		case unsigned:
			c = syncCause(syncUnsigned)
		case e.Code == r.closed:
			c = closedBy(e.Code) // signed calls are not let through either
		}
	}
	r.show(checkSyncAllowed, Fail, c, seen)
}

// allowed tells whether the site may synchronise, and with all its parts.
func (s *syncState) allowed() view {
	d := s.Debug
	switch {
	case d.Allowed == nil:
		return unsaid()
	case *d.Allowed:
		return s.parts()
	case isOn(d.SafeMode), isOn(d.Staging):
		return failed(syncCrisis, "sync_allowed: false, in_safe_mode: true")
	case isOn(d.Offline):
		return failed(syncOffline, "sync_allowed: false, is_offline_mode: true")
	case isOn(d.NetworkOff):
		return failed(syncOffNetwork, "sync_allowed: false, jetpack_sync_network_disable: 1")
	case d.Enabled != nil && !*d.Enabled:
		return failed(syncOff, "sync_allowed: false, jetpack_sync_disable: 1")
	}
	return failed(syncForbidden, "sync_allowed: false, without a reason")
}

// parts tells which parts of the synchronisation are switched off.
func (s *syncState) parts() view {
	off := func(setting any) bool { return setting != nil && !isOn(setting) }
	switch {
	case off(s.settings.Sender):
		return failed(syncSenderOff, "sync_allowed: true, sync_sender_enabled: 0")
	case off(s.settings.FullSender):
		return warned(syncFullOff, "sync_allowed: true, full_sync_sender_enabled: 0")
	case off(s.settings.ByCron):
		return warned(syncByCronOff, "sync_allowed: true, sync_via_cron: 0")
	case isOn(s.settings.ChecksumsOff):
		return warned(syncChecksumsOff, "sync_allowed: true, checksum_disable: 1")
	}
	return passed("the site may synchronise")
}

// health tells what WordPress.com has recorded on the site about its copy.
func (s *syncState) health() view {
	seen := "the site says " + quote(s.Debug.Health)
	switch s.Debug.Health {
	case "in_sync":
		return passed(seen)
	case "":
		return unsaid()
	case "out_of_sync":
		return warned(syncOutOfSync, seen)
	case "disabled":
		if s.Debug.Allowed == nil || *s.Debug.Allowed {
			return warned(syncOutOfSync, seen+", although it may synchronise again")
		}
	}
	return view{verdict: Skipped, seen: seen}
}

// length tells how long the queue is.
func (s *syncState) length() view {
	size, lag, ok := s.queue()
	if !ok {
		return unsaid()
	}
	seen := fmt.Sprintf("%s, the oldest waiting for %s", count(size, "item"), lag)
	switch {
	case size > syncqueue.MaxItems && lag > syncqueue.MaxLag:
		return failed(cmp.Or(s.reason, syncFull), seen+": the queue takes in no more")
	case lag > warnLag || size > warnSize && lag > time.Minute:
		return warned(cmp.Or(s.reason, syncBehind), seen)
	}
	return passed(seen)
}

// lock tells whether the queue's lock is held. Holding it while items go out is normal.
func (s *syncState) lock() view {
	held := ""
	for _, queue := range []string{"sync", "full_sync"} {
		if isOn(s.Debug.Locks["queue_locked_"+queue]) {
			held = queue
			break
		}
	}
	_, lag, _ := s.queue()
	last, sent := s.lastSuccess()
	switch {
	case s.Debug.Locks == nil:
		return unsaid()
	case held == "":
		return passed("no lock is held")
	case lag <= syncqueue.DefaultLease, sent && s.now.Sub(last) < syncqueue.DefaultLease:
		return passed("the queue " + held + " is being sent")
	}
	return warned(cmp.Or(s.reason, syncLockHeld), fmt.Sprintf("the lock of the queue %s is held while items wait for %s", held, lag))
}

// cron tells whether WP-Cron runs. Our own calls have started it on a healthy site.
func (s *syncState) cron() view {
	tasks, counted := number(s.CronSize)
	next, ok := number(s.NextCron)
	late := -time.Duration(next * float64(time.Second)).Round(time.Second)
	_, lag, _ := s.queue()
	seen := fmt.Sprintf("the next task has been due for %s", late)
	switch {
	case counted && tasks == 0:
		return warned(syncCronEmpty, "cron_size: 0")
	case !ok:
		return unsaid()
	case late > warnCron, late > warnLag && lag > warnLag:
		return warned(syncCronStopped, seen)
	case late > 0:
		return passed(seen)
	}
	return passed(fmt.Sprintf("the next task is due in %s", -late))
}
