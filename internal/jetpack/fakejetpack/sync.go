package fakejetpack

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/signature"
)

// Sync is what a site says of its synchronisation, beside its queue. The zero value is a
// site that is in step.
type Sync struct {
	// Health is the state of WordPress.com's copy; empty means "in_sync".
	Health string
	// Off and NetworkOff are the settings that switch Jetpack Sync off, for the site and for
	// its network; SenderOff, FullSenderOff, CronOff and ChecksumsOff those that switch a part
	// of it off.
	Off, NetworkOff, SenderOff, FullSenderOff, CronOff, ChecksumsOff bool
	// Offline is Jetpack's offline mode, SafeMode its answer to an identity crisis.
	Offline, SafeMode bool
	// Unexplained makes the site refuse to synchronise and not say why.
	Unexplained bool
	// Dedicated makes the site send by requests to itself; DedicatedFailed is true after it
	// has given that up for some hours.
	Dedicated, DedicatedFailed bool
	// Errors are the last failures of the sender, the oldest first.
	Errors []SyncError
	// LastSuccess is when the sender last succeeded; zero means a minute ago.
	LastSuccess time.Time
	// RetryAfter and NextSync are before when the sender does not send: because WordPress.com
	// asked for it, or because it slows itself down. The zero time is no limit.
	RetryAfter, NextSync time.Time
	// Overdue is how late the next scheduled task is; a negative one is in the future. Zero
	// means that it is due in a minute. NoCron leaves all tasks out.
	Overdue time.Duration
	NoCron  bool
	// Full is the last full sync.
	Full FullSync
	// Old makes the site answer as Jetpack 11.5 does.
	Old bool
}

// SyncError is a failure of the sender, as WordPress.com or the site's own HTTP client put it.
type SyncError struct {
	Time          time.Time
	Code, Message string
}

// FullSync is how far a full sync is. The zero value has finished an hour ago.
type FullSync struct {
	Started, Finished time.Time
	Total, Sent       int
	// Never means that there was none.
	Never bool
}

// sync serves Jetpack's part of the REST API about synchronisation: state and settings.
func (s *Site) sync(w http.ResponseWriter, r *http.Request, what string, signer *signature.Identity) {
	reading := what == "/status" || what == "/settings"
	// A GET of /health has no route: it can only be set.
	if !reading && what != "/health" || reading != (r.Method == http.MethodGet) {
		noRoute(w)
		return
	}
	if signer == nil || slices.Contains(s.o.Visitors, signer.UserID) {
		restError(w, http.StatusUnauthorized, "invalid_user_permission_sync", "You do not have the correct user permissions to perform this action.")
		return
	}
	switch what {
	case "/status":
		writeJSON(w, http.StatusOK, s.syncStatus(r.URL.Query().Get("fields")))
	case "/settings":
		writeJSON(w, http.StatusOK, onlyFields(s.syncSettings(), r.URL.Query().Get("_fields")))
	default:
		restError(w, http.StatusBadRequest, "rest_missing_callback_param", "Missing parameter(s): status")
	}
}

// onlyFields leaves out of a document what _fields does not ask for; empty asks for all.
func onlyFields(all map[string]any, fields string) map[string]any {
	if fields == "" {
		return all
	}
	some := map[string]any{}
	for _, name := range strings.Split(fields, ",") {
		if v, ok := all[name]; ok {
			some[name] = v
		}
	}
	return some
}

func (s *Site) syncSettings() map[string]any {
	on := func(off bool) int {
		if off {
			return 0
		}
		return 1
	}
	y := s.o.Sync
	return map[string]any{
		"disable": on(!y.Off), "network_disable": on(!y.NetworkOff), "sync_sender_enabled": on(y.SenderOff), "full_sync_sender_enabled": on(y.FullSenderOff),
		"sync_via_cron": on(y.CronOff), "checksum_disable": on(!y.ChecksumsOff), "dedicated_sync_enabled": on(!y.Dedicated),
		"max_queue_size": 5000, "max_queue_lag": 7200, "post_types_blacklist": []string{"revision", "customize_changeset"},
		// The real ones are some 15 KB.
		"post_meta_whitelist": make([]int, 2000),
	}
}

// syncStatus is what the real plugin answers, in its types: times are numbers or strings,
// and what is not set is false or an empty string.
func (s *Site) syncStatus(fields string) map[string]any {
	now, y := s.o.Now(), s.o.Sync
	seconds := func(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
	next := func(t time.Time) float64 {
		if t.IsZero() {
			return -seconds(now) // it never had to wait: 0, less the time
		}
		return t.Sub(now).Seconds()
	}
	status := y.Full.status(now)
	status["queue_size"], status["queue_lag"] = s.o.Queue.Size(), s.o.Queue.Lag().Seconds()
	status["queue_next_sync"], status["full_queue_next_sync"] = next(y.NextSync), next(time.Time{})
	status["cron_size"], status["next_cron"] = 12, -int(cmp.Or(y.Overdue, -time.Minute).Seconds())
	if y.NoCron {
		status["cron_size"], status["next_cron"] = 0, ""
	}
	if !strings.Contains(fields, "debug_details") {
		return status
	}
	unset := any(false)
	stamp := func(t time.Time, none any) any {
		if t.IsZero() {
			return none
		}
		return fmt.Sprintf("%.4f", seconds(t))
	}
	locks := map[string]any{
		"retry_time_sync": stamp(y.RetryAfter, unset), "retry_time_full_sync": unset,
		"next_sync_time_sync": seconds(cmpTime(y.NextSync)), "next_sync_time_full_sync": 0,
		"queue_locked_sync": s.o.Queue.IsLocked(), "queue_locked_full_sync": false, "dedicated_sync_request_lock": nil,
	}
	if !y.Old {
		locks["dedicated_sync_temporary_disable_flag"] = unset
		if y.DedicatedFailed {
			locks["dedicated_sync_temporary_disable_flag"] = "1"
		}
	}
	debug := y.allowed()
	debug["sync_health"], debug["dedicated_sync_enabled"], debug["sync_locks"] = cmp.Or(y.Health, "in_sync"), y.Dedicated, locks
	last := y.LastSuccess
	if last.IsZero() {
		last = now.Add(-time.Minute)
	}
	debug["last_succesful_sync"], debug["sync_error_log"] = stamp(last, ""), y.errorLog()
	status["debug_details"] = debug
	return status
}

// cmpTime makes the zero time the beginning of Unix time.
func cmpTime(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0)
	}
	return t
}

// allowed returns whether the site may synchronise, and the reasons if it may not.
func (y Sync) allowed() map[string]any {
	debug := map[string]any{"sync_allowed": true}
	forbid := func(fields map[string]any) {
		debug["sync_allowed"] = false
		for name, v := range fields {
			debug[name] = v
		}
	}
	if y.Off || y.NetworkOff {
		number := map[bool]int{true: 1}
		forbid(map[string]any{"is_sync_enabled": false, "jetpack_sync_disable": number[y.Off], "jetpack_sync_network_disable": number[y.NetworkOff]})
	}
	if y.Offline {
		forbid(map[string]any{"is_offline_mode": true})
	}
	if y.SafeMode {
		forbid(map[string]any{map[bool]string{false: "in_safe_mode", true: "is_staging_site"}[y.Old]: true})
	}
	if y.Unexplained {
		forbid(nil)
	}
	return debug
}

// errorLog is an object by time, or an empty string before the first error.
func (y Sync) errorLog() any {
	if len(y.Errors) == 0 {
		return ""
	}
	log := map[string]any{}
	for _, e := range y.Errors {
		log[fmt.Sprintf("%.4f", float64(e.Time.UnixMicro())/1e6)] = map[string]any{
			"errors": map[string]any{e.Code: []string{e.Message}}, "error_data": map[string]any{e.Code: map[string]any{"body": "<html>whatever came</html>"}},
		}
	}
	return log
}

func (f FullSync) status(now time.Time) map[string]any {
	if f.Never {
		return map[string]any{"started": false, "finished": false, "progress": []any{}, "config": []any{}}
	}
	if f.Started.IsZero() {
		f.Started, f.Finished, f.Total, f.Sent = now.Add(-65*time.Minute), now.Add(-time.Hour), 120, 120
	}
	finished := any(false)
	if !f.Finished.IsZero() {
		finished = f.Finished.Unix()
	}
	return map[string]any{
		"started": f.Started.Unix(), "finished": finished,
		"progress": map[string]any{
			"options": map[string]any{"total": "1", "sent": 1, "finished": true},
			"posts":   map[string]any{"total": fmt.Sprint(f.Total), "sent": f.Sent, "finished": f.Sent == f.Total, "last_sent": "1"},
		},
		"config": map[string]any{"options": true, "posts": true},
	}
}
