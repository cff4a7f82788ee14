package snapshot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// MaxChecks is how many checks of one run of failures are kept as evidence.
const MaxChecks = 4

// Snapshot is what must be known of a site in trouble to go on with it in another process.
// The names of its fields are those of the JSON in the store.
type Snapshot struct {
	State       lifecycle.State
	Checks      []store.LocalCheck `json:",omitempty"`
	Last        *check.Observation `json:",omitempty"`
	LastCheck   time.Time
	LastNode    string   `json:",omitempty"`
	HeadHostile bool     `json:",omitempty"`
	Regional    Regional `json:",omitzero"`
}

// Regional says that a site fails for some regions and works for others.
type Regional struct {
	Down, Up []string
	At       time.Time
}

// Update is a change of the store: the snapshot of a site is to be written, or deleted.
type Update struct {
	Site   check.SiteID
	Bucket check.BucketID
	// Forget deletes the snapshot; what follows is then of no meaning.
	Forget bool
	// URL is what was checked, At when the snapshot was taken.
	URL      string
	At       time.Time
	Snapshot Snapshot
}

// Suspect encodes the snapshot as the store keeps it, cut to the size that it takes.
func (u Update) Suspect() (store.Suspect, error) {
	state, err := u.Snapshot.encode()
	if err != nil {
		return store.Suspect{}, fmt.Errorf("encode the snapshot of site %d: %w", u.Site, err)
	}
	return store.Suspect{SiteID: u.Site, Bucket: u.Bucket, At: u.At, URL: u.URL, State: state}, nil
}

// encode writes a snapshot in at most store.MaxSuspectState bytes. The answers of a site
// can be longer than that, since redirects are: then evidence is left out, that which
// tells least first.
func (s Snapshot) encode() ([]byte, error) {
	state, err := plain(s)
	if err != nil || len(state) <= store.MaxSuspectState {
		return state, err
	}
	s.Checks = slices.Clone(s.Checks) // the caller's stay as they are
	for _, o := range s.leastTelling() {
		o.Hops, o.Headers = nil, nil
		if state, err = plain(s); err != nil || len(state) <= store.MaxSuspectState {
			return state, err
		}
	}
	s.Checks, s.Last, s.Regional = nil, nil, Regional{}
	return plain(s)
}

// leastTelling lists the observations that may be cut, in that order: the middle of the
// run from its oldest on, its first check, and the newest, which is there twice. An
// outage is named after the kind of the first failure; cutting leaves that.
func (s *Snapshot) leastTelling() (out []*check.Observation) {
	n := len(s.Checks)
	for i := range n {
		out = append(out, &s.Checks[(i+1)%n].Observation)
	}
	if n > 1 { // after the middle comes the newest, and then the first
		out[n-2], out[n-1] = out[n-1], out[n-2]
	}
	if s.Last != nil {
		last := *s.Last
		s.Last = &last
		out = slices.Insert(out, max(n-1, 0), s.Last)
	}
	return out
}

// plain writes JSON that is not fit for HTML: there each & takes six bytes.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decode reads what encode wrote, or what another version wrote that keeps more checks.
func decode(state []byte) (Snapshot, error) {
	var s Snapshot
	if err := json.Unmarshal(state, &s); err != nil {
		return Snapshot{}, err
	}
	if n := len(s.Checks); n > MaxChecks {
		s.Checks = slices.Delete(s.Checks, 1, n-MaxChecks+1)
	}
	return s, nil
}

// notAfter brings back the times of a snapshot that a clock ahead of ours has taken. An
// observation that is made now would be older than them, and count for nothing.
func (s *Snapshot) notAfter(now time.Time) {
	st := &s.State
	times := []*time.Time{
		&s.LastCheck, &s.Regional.At, &st.Observed, &st.FirstFailure,
		&st.Flap.Good, &st.Flap.Recoveries[0], &st.Flap.Recoveries[1],
	}
	for i := range s.Checks {
		times = append(times, &s.Checks[i].At)
	}
	for _, t := range times {
		if t.After(now) {
			*t = now
		}
	}
}
