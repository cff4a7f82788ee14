package hostile

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
)

// maxDepth is how deep in a request fields are made bad, maxMessage the size of a request that
// gRPC's library reads.
const (
	maxDepth   = 4
	maxMessage = 4 << 20
)

// methods lists the methods of the contract with one request and one answer.
func methods() []protoreflect.MethodDescriptor {
	var all []protoreflect.MethodDescriptor
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				if strings.HasPrefix(string(file.Package()), "jetmon.") && !m.IsStreamingClient() && !m.IsStreamingServer() {
					all = append(all, m)
				}
			}
		}
		return true
	})
	slices.SortFunc(all, func(a, b protoreflect.MethodDescriptor) int {
		return strings.Compare(string(a.FullName()), string(b.FullName()))
	})
	return all
}

// goodRequests are requests that are well formed, to which what is bad is added, so that
// nothing else is wrong with them. A method that needs none is not among them.
func (w *world) goodRequests() map[protoreflect.FullName]proto.Message {
	all := map[protoreflect.FullName]proto.Message{}
	subscription := &monitorv1.Subscription{
		SubscriptionId: 1 << 40, Name: "bad", Kind: monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_WEBHOOK, Url: "https://bad.example/",
		Filter: &monitorv1.SubscriptionFilter{},
	}
	for _, m := range []proto.Message{
		&monitorv1.GetSiteRequest{SiteId: w.site}, &monitorv1.ExplainSiteRequest{SiteId: w.site}, &monitorv1.DiagnoseSiteRequest{SiteId: 1 << 40},
		&monitorv1.PauseSiteRequest{SiteId: 1 << 40}, &monitorv1.ResumeSiteRequest{SiteId: 1 << 40}, &monitorv1.CheckSiteRequest{SiteId: 1 << 40},
		&monitorv1.DeleteSiteRequest{SiteId: 1 << 40}, &monitorv1.BatchGetSitesRequest{SiteIds: []int64{w.site}},
		&monitorv1.CreateSiteRequest{Site: &monitorv1.Site{Url: "http://bad.example/", BlogId: 7}},
		&monitorv1.UpdateSiteRequest{Site: &monitorv1.Site{SiteId: w.site, Url: "http://site.example/", BlogId: 1}},
		&monitorv1.ListIncidentsRequest{}, &monitorv1.GetIncidentRequest{IncidentId: 1}, &monitorv1.ListIncidentMembersRequest{IncidentId: 1},
		&monitorv1.GetMaintenanceRequest{MaintenanceId: 1 << 40}, &monitorv1.EndMaintenanceRequest{MaintenanceId: 1 << 40},
		&monitorv1.DeleteMaintenanceRequest{MaintenanceId: 1 << 40},
		&monitorv1.CreateMaintenanceRequest{Maintenance: badMaintenance()}, &monitorv1.UpdateMaintenanceRequest{Maintenance: badMaintenance()},
		&monitorv1.GetSiteHistoryRequest{SiteId: w.site}, &monitorv1.ExportSiteHistoryRequest{SiteId: w.site}, &monitorv1.GetSiteUptimeRequest{SiteId: w.site},
		&monitorv1.BatchGetSiteUptimesRequest{SiteIds: []int64{w.site}}, &monitorv1.GetFleetHistoryRequest{},
		&monitorv1.ListAdvisoriesRequest{}, &monitorv1.GetBadgeRequest{SiteId: 1 << 40, Badge: "status.svg"}, &monitorv1.GetOutageRequest{OutageId: 1}, &monitorv1.ReplayOutageRequest{OutageId: 1}, &monitorv1.ListOutageNoticesRequest{OutageId: 1},
		&monitorv1.CreateSubscriptionRequest{Subscription: subscription}, &monitorv1.UpdateSubscriptionRequest{Subscription: subscription},
		&monitorv1.GetSubscriptionRequest{SubscriptionId: 1 << 40}, &monitorv1.DeleteSubscriptionRequest{SubscriptionId: 1 << 40},
		&monitorv1.EnableSubscriptionRequest{SubscriptionId: 1 << 40}, &monitorv1.DisableSubscriptionRequest{SubscriptionId: 1 << 40},
		&monitorv1.GetNotificationRequest{NotificationId: 1 << 40}, &monitorv1.ReplayNotificationRequest{NotificationId: 1 << 40},
		&monitorv1.TestSubscriptionRequest{SubscriptionId: 1 << 40}, &monitorv1.RotateSubscriptionSecretRequest{SubscriptionId: 1 << 40},
		&wpcomv1.GetJetpackMonitorStatusRequest{Site: "1"}, &wpcomv1.GetJetpackMonitorSettingsRequest{Site: "1"},
		&wpcomv1.ListJetpackMonitorIncidentsRequest{Site: "1"}, &wpcomv1.GetJetpackMonitorUptimeRequest{Site: "1"},
		&wpcomv1.GetProtectUptimeRequest{Site: "1"}, &wpcomv1.ListAgencySitesRequest{BlogIds: []int64{1}},
		&wpcomv1.UpdateJetpackMonitorSettingsRequest{Site: "1", Settings: &wpcomv1.JetpackMonitorSettings{}},
		&veriflierv1.VerifyRequest{RequestId: "bad", Target: &checkv1.Target{Url: "http://0.0.0.0/"}},
	} {
		all[m.ProtoReflect().Descriptor().FullName()] = m
	}
	return all
}

// badMaintenance is well formed.
func badMaintenance() *monitorv1.Maintenance {
	return &monitorv1.Maintenance{
		MaintenanceId: 1 << 40, Name: "bad", Tag: "bad", StartTime: timestamppb.Now(), Duration: durationpb.New(time.Hour),
	}
}

// place is a field inside a request.
type place struct {
	way []protoreflect.FieldDescriptor // the messages around it
	fd  protoreflect.FieldDescriptor
	// output is set where the server ignores what is in it.
	output bool
}

func (p place) String() string {
	var names []string
	for _, fd := range append(slices.Clone(p.way), p.fd) {
		names = append(names, string(fd.Name()))
	}
	return strings.Join(names, ".")
}

// places lists all fields of a message, and of the messages inside it.
func places(m protoreflect.MessageDescriptor, way []protoreflect.FieldDescriptor, output bool) []place {
	var all []place
	for i := range m.Fields().Len() {
		fd := m.Fields().Get(i)
		behavior, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
		ignored := output || slices.Contains(behavior, annotations.FieldBehavior_OUTPUT_ONLY)
		all = append(all, place{slices.Clone(way), fd, ignored})
		if fd.Message() != nil && len(way) < maxDepth && !slices.Contains(way, fd) {
			all = append(all, places(fd.Message(), append(slices.Clone(way), fd), ignored)...)
		}
	}
	return all
}

// put encodes a value of the place, with the messages around it.
func (p place) put(kind protowire.Type, value []byte) []byte {
	out := append(protowire.AppendTag(nil, p.fd.Number(), kind), value...)
	for _, fd := range slices.Backward(p.way) {
		out = protowire.AppendBytes(protowire.AppendTag(nil, fd.Number(), protowire.BytesType), out)
	}
	return out
}

func (p place) number(n uint64) []byte {
	return p.put(protowire.VarintType, protowire.AppendVarint(nil, n))
}

func (p place) text(b []byte) []byte {
	return p.put(protowire.BytesType, protowire.AppendBytes(nil, b))
}

// times is n values of the place, empty ones or the number 1, in one message around it.
func (p place) times(n int) []byte {
	one := place{fd: p.fd}.number(1)
	switch p.fd.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		one = place{fd: p.fd}.text(nil)
	}
	all := bytes.Repeat(one, n)
	if len(p.way) == 0 {
		return all
	}
	return place{way: p.way[:len(p.way)-1], fd: p.way[len(p.way)-1]}.text(all)
}

// spoilt lists bad values of a place.
func (p place) spoilt() []bad {
	var all []bad
	add := func(name string, kind ending, want string, message []byte) {
		if p.output && kind == inWords {
			kind = harmless
		}
		all = append(all, bad{name: p.String() + " is " + name, ending: kind, want: want, request: request{data: [][]byte{message}}})
	}
	name := string(p.fd.Name())
	if p.fd.Parent().FullName() == "google.protobuf.FieldMask" {
		name = string(p.way[len(p.way)-1].Name()) // in JSON a mask is a text
	}
	switch p.fd.Kind() {
	case protoreflect.StringKind:
		all = append(all, bad{name: p.String() + " is no UTF-8", ending: inWords, want: name, request: request{data: [][]byte{p.text([]byte("a\xff\xfe"))}}})
		add("a text of 100 KB", inWords, name, p.text(bytes.Repeat([]byte("x"), 100_000)))
		add("control bytes", harmless, "", p.text([]byte("\x00\r\n\x1b[31m\u202e")))
		add("a number", harmless, "", p.number(1))
	case protoreflect.BytesKind:
		add("100 KB", inWords, name, p.text(make([]byte, 100_000)))
	case protoreflect.EnumKind:
		kind := inWords
		if p.fd.Parent().FullName() == "jetmon.check.v1.Target" && name != "method" && name != "redirect_policy" {
			kind = harmless // a value of a later version stands for the default
		}
		add("9999", kind, name, p.number(9999))
		add("-1", kind, name, p.number(math.MaxUint64))
	case protoreflect.MessageKind:
		all = append(all, bad{name: p.String() + " is no message", ending: inWords, request: request{data: [][]byte{p.text([]byte{0xff})}}})
		add("a number", harmless, "", p.number(1))
		p.moments(add)
	default:
		for _, n := range []uint64{math.MaxUint64, math.MaxInt64, 1 << 63, 1 << 31} {
			add(fmt.Sprintf("%d", int64(n)), harmless, "", p.number(n))
		}
		add("a text", harmless, "", p.text([]byte("text")))
	}
	if p.fd.IsList() {
		add("a list of 20,000", inWords, name, p.times(20_000))
		add("a list of 2,000", inWords, name, p.times(2000))
	}
	return all
}

// moments lists bad times, spans of time and masks.
func (p place) moments(add func(name string, kind ending, want string, message []byte)) {
	pair := func(seconds, nanos uint64) []byte {
		b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), seconds)
		return p.text(protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), nanos))
	}
	name := string(p.fd.Name())
	switch p.fd.Message().FullName() {
	case "google.protobuf.Timestamp", "google.protobuf.Duration":
		add("endless", inWords, name, pair(math.MaxInt64, 0))
		add("before all time", inWords, name, pair(1<<63, 0))
		add("of wrong nanoseconds", inWords, name, pair(1, 2_000_000_000))
		add("of negative nanoseconds", inWords, name, pair(1, math.MaxUint64))
	case "google.protobuf.FieldMask":
		for _, path := range []string{"nothing", "site_id.x", "a..b", "", ".", "*.*", "settings.", "\x00", strings.Repeat("a.", 5000)} {
			add(fmt.Sprintf("the path %.20q", path), inWords, name, p.text(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), []byte(path))))
		}
	}
}

// broken lists messages that are none, whatever their type.
func broken() []bad {
	var all []bad
	add := func(name string, kind ending, want string, message []byte) {
		all = append(all, bad{name: name, ending: kind, want: want, request: request{data: [][]byte{message}}})
	}
	for name, b := range map[string][]byte{
		"a tag that is cut short":       {0x80},
		"a number that is cut short":    {0x08, 0xff},
		"a number of 11 bytes":          append([]byte{0x08}, bytes.Repeat([]byte{0xff}, 11)...),
		"a tag of 11 bytes":             bytes.Repeat([]byte{0xff}, 11),
		"field 0":                       {0x00, 0x01},
		"field 0 with a text":           {0x02, 0x01, 'x'},
		"a field beyond 2^29":           {0x80, 0x80, 0x80, 0x80, 0x7f, 0x01},
		"wire type 6":                   {0x0e},
		"wire type 7":                   {0x0f},
		"a length beyond the end":       {0xf2, 0x3f, 0x7f, 'x'},
		"a length of 2^63":              append([]byte{0xf2, 0x3f}, protowire.AppendVarint(nil, 1<<63)...),
		"a length of 2^64-1":            append([]byte{0xf2, 0x3f}, protowire.AppendVarint(nil, math.MaxUint64)...),
		"a fixed number cut short":      {0xf1, 0x3f, 1, 2, 3},
		"a group without an end":        {0xf3, 0x3f},
		"an end without a group":        {0xf4, 0x3f},
		"a group with another's end":    {0xf3, 0x3f, 0xfc, 0x3f},
		"20,000 groups inside another":  append(bytes.Repeat([]byte{0xf3, 0x3f}, 20_000), bytes.Repeat([]byte{0xf4, 0x3f}, 20_000)...),
		"20,000 groups without an end":  bytes.Repeat([]byte{0xf3, 0x3f}, 20_000),
		"random bytes":                  {0xde, 0xad, 0xbe, 0xef, 0xde, 0xad, 0xbe, 0xef},
		"JSON":                          []byte(`{"site_id": 1}`),
		"a message inside gRPC's frame": framed([]byte{0x08, 0x01, 0x0f}),
	} {
		add(name, inWords, "is no jetmon.", b)
	}
	add("10,001 unknown fields", inWords, "too many values", bytes.Repeat([]byte{0xf0, 0x3f, 1}, 10_001))
	add("one unknown field", harmless, "", []byte{0xf0, 0x3f, 1})
	add("128 KiB and more", inWords, "at most 131072 bytes", append([]byte{0xf2, 0x3f, 0x80, 0x80, 0x08}, make([]byte, 128<<10)...))
	add("4 MiB and more", inWords, "larger than max", make([]byte, maxMessage+1))
	return all
}

func TestBadFieldsAndMessages(t *testing.T) {
	w := open(t)
	good := w.goodRequests()
	o := w.watch(t)
	before := heap()
	for _, m := range methods() {
		addr := w.coordinator
		if m.Parent().FullName() == "jetmon.veriflier.v1.VeriflierService" {
			addr = w.veriflier
		}
		var base []byte
		if message := good[m.Input().FullName()]; message != nil {
			var err error
			if base, err = proto.Marshal(message); err != nil {
				t.Fatal(err)
			}
		}
		table := broken()
		for _, p := range places(m.Input(), nil, false) {
			table = append(table, p.spoilt()...)
		}
		for i := range table {
			table[i].request.path = fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())
			message := slices.Clone(base)
			if id := m.Input().Fields().ByName("request_id"); id != nil { // each call has its own
				message = append(message, place{fd: id}.text([]byte("bad-"+strconv.Itoa(i)))...)
			}
			table[i].request.data[0] = framed(append(message, table[i].request.data[0]...))
		}
		w.refuses(t, addr, table)
	}
	o.stop()
	const slack = 16 << 20
	if after := heap(); after > before+slack {
		t.Errorf("%d bytes in use before, %d after", before, after)
	}
	t.Logf("%d calls of others", o.calls.Load())
}
