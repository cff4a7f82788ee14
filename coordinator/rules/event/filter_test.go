package event_test

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// everyFieldOf fails for each field of a message, and of those in it, that is not set.
func everyFieldOf(t *testing.T, m *monitorv1.Event) func(protoreflect.FieldDescriptor, protoreflect.Value) bool {
	t.Helper()
	var walk func(m protoreflect.Message)
	walk = func(m protoreflect.Message) {
		fields := m.Descriptor().Fields()
		for i := range fields.Len() {
			f := fields.Get(i)
			// 0 is the status of a site that is down.
			if !m.Has(f) && f.Name() != "status_id" {
				t.Errorf("%s is not in the stored form", f.FullName())
			}
			if f.Message() != nil && !f.IsList() {
				walk(m.Get(f).Message())
			}
		}
	}
	walk(m.ProtoReflect())
	return func(protoreflect.FieldDescriptor, protoreflect.Value) bool { return false }
}

func TestTypesAreThoseOfTheAPI(t *testing.T) {
	t.Parallel()
	if n := len(monitorv1.EventType_name); n != int(event.TypeLast)+1 {
		t.Fatalf("the API has %d types, the rules %d", n, event.TypeLast+1)
	}
	for number, name := range monitorv1.EventType_name {
		text, _ := event.Type(number).MarshalText()
		var back event.Type
		if err := back.UnmarshalText([]byte(name)); string(text) != name || err != nil || back != event.Type(number) {
			t.Errorf("type %d is %q, back %d (%v); the API calls it %s", number, text, back, err, name)
		}
	}
	future := event.SiteUp
	if err := future.UnmarshalText([]byte("EVENT_TYPE_NEWS")); err != nil || future != event.TypeNone {
		t.Errorf("a type of a newer program is %v (%v)", future, err)
	}
}

func TestWhatAFilterAdmits(t *testing.T) {
	t.Parallel()
	down, _ := event.OfChange(wentDown(), event.Place{Tags: []string{"eu", "shop"}})
	expiring := event.Event{Type: event.AdvisoryOpened, Site: down.Site, Advisory: &event.AdvisoryChange{Advisory: "ADVISORY_TLS_EXPIRING"}}
	incident := event.Event{Type: event.IncidentOpened, Incident: &event.IncidentChange{ID: 1}}
	test := event.Event{Type: event.Test}
	host := func(name string) []record.Location {
		l, err := record.LocateHost(name)
		if err != nil {
			t.Fatal(err)
		}
		return []record.Location{l}
	}
	for name, tt := range map[string]struct {
		filter                     event.Filter
		down, expiring, ofIncident bool
	}{
		"nothing said: changes of status":     {event.Filter{}, true, false, false},
		"types":                               {event.Filter{Types: []event.Type{event.AdvisoryOpened, event.IncidentOpened}}, false, true, true},
		"another type":                        {event.Filter{Types: []event.Type{event.SiteUp}}, false, false, false},
		"the blog":                            {event.Filter{Blogs: []check.BlogID{1, 99}}, true, false, false},
		"another blog":                        {event.Filter{Blogs: []check.BlogID{1}}, false, false, false},
		"the site":                            {event.Filter{Sites: []check.SiteID{7}}, true, false, false},
		"another site":                        {event.Filter{Sites: []check.SiteID{8}}, false, false, false},
		"one of its tags":                     {event.Filter{Tags: []string{"x", "shop"}}, true, false, false},
		"another tag":                         {event.Filter{Tags: []string{"x"}}, false, false, false},
		"its host, however written":           {event.Filter{Hosts: host("EXAMPLE.com.")}, true, false, false},
		"its host and port":                   {event.Filter{Hosts: host("example.com:443")}, true, false, false},
		"another port":                        {event.Filter{Hosts: host("example.com:8443")}, false, false, false},
		"another host":                        {event.Filter{Hosts: host("www.example.com")}, false, false, false},
		"one thing fits and another does not": {event.Filter{Blogs: []check.BlogID{99}, Tags: []string{"x"}}, false, false, false},
		"the remark": {event.Filter{
			Types: []event.Type{event.AdvisoryOpened}, Advisories: []string{"ADVISORY_SLOW", "ADVISORY_TLS_EXPIRING"},
		}, false, true, false},
		"another remark, and changes": {event.Filter{
			Types: []event.Type{event.SiteDown, event.AdvisoryOpened}, Advisories: []string{"ADVISORY_SLOW"},
		}, true, false, false},
		"incidents are of no blog": {event.Filter{
			Types: []event.Type{event.SiteDown, event.IncidentOpened}, Blogs: []check.BlogID{99},
		}, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for what, e := range map[*event.Event]bool{&down: tt.down, &expiring: tt.expiring, &incident: tt.ofIncident, &test: true} {
				if got := tt.filter.Admits(what); got != e {
					t.Errorf("%v is admitted: %t, want %t", what.Type, got, e)
				}
			}
		})
	}
}

func TestNamesAreThoseOfTheAPI(t *testing.T) {
	t.Parallel()
	for number, name := range checkv1.Advisory_name {
		if got := "ADVISORY_" + check.Advisory(number).String(); got != name {
			t.Errorf("advisory %d is %s, the API calls it %s", number, got, name)
		}
	}
	for number, name := range checkv1.FailureKind_name {
		if got := "FAILURE_KIND_" + check.FailureKind(number).String(); number != 0 && got != name {
			t.Errorf("failure %d is %s, the API calls it %s", number, got, name)
		}
	}
}
