package jetpack_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/jetpack/symptom"
)

func TestEveryStepOfASymptomIsOneOfADiagnosis(t *testing.T) {
	t.Parallel()
	r := diagnose(t, newWorld(t, fakejetpack.New(connected())), nil)
	for _, s := range symptom.All() {
		for _, step := range s.Steps {
			if r.Find(step.Check) == nil {
				t.Errorf("%s: there is no step %s", s.Name, step.Check)
			}
		}
		a := r.Answer(s)
		if len(a.Causes) > 0 || len(a.RuledOut)+len(a.Unknown) != len(s.Steps) || len(a.RuledOut) == 0 {
			t.Errorf("%s on a healthy site: %+v", s.Name, a)
		}
	}
}

func TestWhatExplainsASymptomComesFirst(t *testing.T) {
	t.Parallel()
	// Two faults: calls are blocked, and the sender does not get out.
	o := connected()
	o.Obstacle = fakejetpack.SecurityPlugin
	o.Sync.Errors = sendError(0, "http_request_failed", "cURL error 28: timed out")
	for words, want := range map[string]struct{ first, check string }{
		"Premium plan is powering up":                   {"security_plugin", "xmlrpc_post"},
		"The buffer you checked in was not checked out": {"outbound_blocked", "sync_sender"},
		"not_synced": {"outbound_blocked", "sync_sender"},
	} {
		r := diagnose(t, newWorld(t, fakejetpack.New(o)), nil)
		s, ok := symptom.Find(words)
		if !ok {
			t.Fatal(words)
		}
		a := r.Answer(s)
		if len(r.Causes) < 2 || len(a.Causes) == 0 || r.Causes[0].Name != a.Causes[0] {
			t.Fatalf("%s: %+v of %+v", words, a, r.Causes)
		}
		if words == "not_synced" && (!slices.Contains(r.Causes[0].Checks, want.check) || slices.Contains(a.Causes, want.first) == false) {
			t.Errorf("%s: %+v", words, r.Causes)
		}
		if !strings.Contains(r.Conclusion, r.Causes[0].Means) {
			t.Errorf("%s: the conclusion is of another cause: %s", words, r.Conclusion)
		}
	}
}

func TestAFaultOfTheWholeSiteStaysFirst(t *testing.T) {
	t.Parallel()
	dead := jetpack.Target{URL: "http://127.0.0.1:1/"}
	r := diagnose(t, newWorld(t, fakejetpack.New(connected())), func(o *jetpack.Options, target *jetpack.Target) {
		*target, o.StepTimeout = dead, time.Second
	})
	first := r.Causes[0].Name
	s, _ := symptom.Find("Your site is down")
	if a := r.Answer(s); r.Causes[0].Name != first || !slices.Contains(a.Causes, first) {
		t.Errorf("%+v: %+v", a, r.Causes)
	}
	s, _ = symptom.Find("buffer_mismatch")
	if a := r.Answer(s); len(a.RuledOut) > 0 || len(a.Unknown) != len(s.Steps) {
		t.Errorf("what could not be looked at counts as ruled out: %+v", a)
	}
}
