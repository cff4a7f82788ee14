package snapshot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/traceid"
)

// MaxChecks is how many checks of one run of failures are kept as evidence.
const MaxChecks = 4

// Snapshot is the state of a site in trouble that another process needs to take over.
// The names of its fields are those of the JSON in the store.
type Snapshot struct {
	State       lifecycle.State
	Checks      []record.LocalCheck `json:",omitempty"`
	Last        *check.Observation  `json:",omitempty"`
	LastCheck   time.Time
	LastNode    string   `json:",omitempty"`
	HeadHostile bool     `json:",omitempty"`
	PageFilled  bool     `json:",omitempty"`
	Regional    Regional `json:",omitzero"`
	// Trace is the newest step of the site's trace, Opening the one that opened its outage.
	Trace   traceid.Context `json:",omitzero"`
	Opening traceid.Context `json:",omitzero"`
}

// Regional is a finding that a site fails for some regions and works for others.
type Regional struct {
	Down, Up []string
	At       time.Time
}

// Update writes or deletes the snapshot of a site in the store.
type Update struct {
	Site   check.SiteID
	Bucket check.BucketID
	// Forget deletes the snapshot; the fields below are then ignored.
	Forget bool
	// URL is the URL that was checked, At the time of the snapshot.
	URL      string
	At       time.Time
	Snapshot Snapshot
}

// Encode returns the snapshot in the store's form, cut to the size that the store accepts.
func (u Update) Encode() (record.Snapshot, error) {
	state, err := u.Snapshot.encode()
	if err != nil {
		return record.Snapshot{}, fmt.Errorf("encode the snapshot of site %d: %w", u.Site, err)
	}
	return record.Snapshot{SiteID: u.Site, Bucket: u.Bucket, At: u.At, URL: u.URL, State: state}, nil
}

// encode encodes a snapshot in at most record.MaxSnapshotState bytes. A site's answers, with
// their redirects, can be longer than that: encode then drops evidence, the least telling
// first.
func (s Snapshot) encode() ([]byte, error) {
	state, err := plain(s)
	if err != nil || len(state) <= record.MaxSnapshotState {
		return state, err
	}
	s.Checks = slices.Clone(s.Checks) // do not change the caller's
	for _, o := range s.leastTelling() {
		o.Hops, o.Headers = nil, nil
		if state, err = plain(s); err != nil || len(state) <= record.MaxSnapshotState {
			return state, err
		}
	}
	s.Checks, s.Last, s.Regional = nil, nil, Regional{}
	return plain(s)
}

// leastTelling returns the observations that may be cut, in this order: the middle of the
// run from its oldest on, the first check of the run, and the newest, which is there twice.
// An outage is named after the kind of the first failure, which cutting keeps.
func (s *Snapshot) leastTelling() (out []*check.Observation) {
	n := len(s.Checks)
	for i := range n {
		out = append(out, &s.Checks[(i+1)%n].Observation)
	}
	if n > 1 { // so far the newest comes before the first
		out[n-2], out[n-1] = out[n-1], out[n-2]
	}
	if s.Last != nil {
		last := *s.Last
		s.Last = &last
		out = slices.Insert(out, max(n-1, 0), s.Last)
	}
	return out
}

// plain encodes JSON without HTML escaping, which would take six bytes for each &.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decode decodes a snapshot of this version, or of one that keeps more checks.
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

// notAfter limits the times of a snapshot to now, in case the clock of its owner was ahead.
// Otherwise new observations would be older than the snapshot, and would not count.
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
