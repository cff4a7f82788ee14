package coordinator_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// receiver is an endpoint of webhooks.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	got  []received
	code int
}

type received struct {
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{code: http.StatusNoContent}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, received{req.Header, body})
		w.WriteHeader(r.code)
		if r.code >= http.StatusBadRequest {
			_, _ = w.Write([]byte("you said " + req.Header.Get("Authorization")))
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) newest(t *testing.T) received {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.got) == 0 {
		t.Fatal("nothing was received")
	}
	return r.got[len(r.got)-1]
}

// withWebhooks starts a coordinator whose subscriptions may lead to this machine.
func withWebhooks(t *testing.T) (*rig, monitorv1.SubscriptionServiceClient) {
	t.Helper()
	r := guardedWith(t, func(o *coordinator.Options) { o.Channels.Post.AllowPrivate = true })
	return r, monitorv1.NewSubscriptionServiceClient(r.conn)
}

func aWebhook(url string) *monitorv1.Subscription {
	return &monitorv1.Subscription{Name: "pager", Kind: monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_WEBHOOK, Url: url}
}

func TestASubscriptionIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	r, subs := withWebhooks(t)
	ctx := as(t, r.token(t, nil, "notifications:manage"))
	asked := &monitorv1.Subscription{
		Name: "pager", Kind: monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_ALERTMANAGER, Url: "https://am.example/?token=verysecret&x",
		BearerToken: proto.String("verysecret-bearer"), Labels: []*monitorv1.SubscriptionLabel{{Name: "env", Value: "b"}, {Name: "team", Value: "a"}},
		Delay: durationpb.New(90 * time.Second), Rate: 0.5, Burst: 3,
		Filter: &monitorv1.SubscriptionFilter{
			Types:   []monitorv1.EventType{monitorv1.EventType_EVENT_TYPE_SITE_DOWN, monitorv1.EventType_EVENT_TYPE_ADVISORY_OPENED},
			SiteIds: []int64{1 << 60}, BlogIds: []int64{7}, Tags: []string{"shop"}, Hosts: []string{"example.com", "example.com:8080", "[2001:db8::1]", "[2001:db8::1]:80"},
			Advisories: []checkv1.Advisory{checkv1.Advisory_ADVISORY_SLOW},
		},
	}
	made, err := subs.CreateSubscription(ctx, &monitorv1.CreateSubscriptionRequest{Subscription: asked})
	if err != nil || made.GetSigningSecret() != "" {
		t.Fatalf("%v, secret %q", err, made.GetSigningSecret())
	}
	got, err := subs.GetSubscription(ctx, &monitorv1.GetSubscriptionRequest{SubscriptionId: made.GetSubscription().GetSubscriptionId()})
	if err != nil || !proto.Equal(got.GetSubscription(), made.GetSubscription()) {
		t.Fatalf("%v, read %v, made %v", err, got, made)
	}
	want := proto.CloneOf(asked)
	s := got.GetSubscription()
	want.Url, want.BearerToken, want.HasBearerToken = "https://am.example/?token=***&x", nil, true
	want.SubscriptionId, want.State, want.Etag = s.GetSubscriptionId(), monitorv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE, s.GetEtag()
	want.StateTime, want.CreateTime, want.UpdateTime = s.GetStateTime(), s.GetCreateTime(), s.GetCreateTime()
	if !proto.Equal(s, want) || s.GetEtag() == "" || !s.GetStateTime().IsValid() {
		t.Errorf("read %v, want %v", s, want)
	}
	// What was read can be sent back: nothing changes, no secret is lost.
	back, err := subs.UpdateSubscription(ctx, &monitorv1.UpdateSubscriptionRequest{Subscription: s})
	if err != nil || !proto.Equal(back.GetSubscription(), s) {
		t.Errorf("%v, sent back %v", err, back)
	}
	back, err = subs.UpdateSubscription(ctx, &monitorv1.UpdateSubscriptionRequest{Subscription: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"*"}}})
	if err != nil || !proto.Equal(back.GetSubscription(), s) {
		t.Errorf("%v, sent back whole %v", err, back)
	}
	if row, err := r.store.Subscription(t.Context(), s.GetSubscriptionId()); err != nil || row.URL != asked.GetUrl() || row.Secrets.Bearer != "verysecret-bearer" {
		t.Errorf("%v, stored %+v", err, row)
	}
}

func TestASubscriptionIsEdited(t *testing.T) {
	t.Parallel()
	r, subs := withWebhooks(t)
	ctx := as(t, r.token(t, nil, "notifications:manage"))
	made, err := subs.CreateSubscription(ctx, &monitorv1.CreateSubscriptionRequest{Subscription: aWebhook("https://a.example/")})
	if err != nil {
		t.Fatal(err)
	}
	id, old := made.GetSubscription().GetSubscriptionId(), made.GetSubscription().GetEtag()
	update := func(s *monitorv1.Subscription, paths ...string) (*monitorv1.Subscription, error) {
		s.SubscriptionId = id
		resp, err := subs.UpdateSubscription(ctx, &monitorv1.UpdateSubscriptionRequest{Subscription: s, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
		return resp.GetSubscription(), err
	}
	got, err := update(&monitorv1.Subscription{Etag: old, BearerToken: proto.String("b"), Filter: &monitorv1.SubscriptionFilter{Tags: []string{"x"}}})
	if err != nil || !got.GetHasBearerToken() || got.GetFilter().GetTags()[0] != "x" || got.GetUrl() != "https://a.example/" || got.GetEtag() == old {
		t.Errorf("%v: %v", err, got)
	}
	if _, err := update(&monitorv1.Subscription{Etag: old, Name: "late"}); status.Code(err) != codes.Aborted {
		t.Errorf("an edit of what somebody else has edited: %v", err)
	}
	got, err = update(&monitorv1.Subscription{BearerToken: proto.String("")}, "bearer_token", "filter.tags")
	if err != nil || got.GetHasBearerToken() || got.GetFilter() != nil {
		t.Errorf("%v: %v", err, got)
	}
	for field, s := range map[string]*monitorv1.Subscription{
		"subscription.kind":            {Kind: monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_SLACK},
		"subscription.url":             {Url: "ftp://a.example/"},
		"subscription.mail_to":         {MailTo: []string{"a@b.example"}},
		"subscription.labels":          {Labels: []*monitorv1.SubscriptionLabel{{Name: "a", Value: "b"}}},
		"subscription.labels[1].name":  {Labels: []*monitorv1.SubscriptionLabel{{Name: "a", Value: "b"}, {Name: "a", Value: "c"}}},
		"subscription.rate":            {Rate: 0.0001},
		"subscription.filter.hosts[0]": {Filter: &monitorv1.SubscriptionFilter{Hosts: []string{"a b"}}},
		"subscription.filter.types[0]": {Filter: &monitorv1.SubscriptionFilter{Types: []monitorv1.EventType{monitorv1.EventType_EVENT_TYPE_TEST}}},
	} {
		if _, err := update(s); status.Code(err) != codes.InvalidArgument || fieldOf(err) != field {
			t.Errorf("%s: %v names %q", field, err, fieldOf(err))
		}
	}
	if _, err := update(&monitorv1.Subscription{}, "secrets"); fieldOf(err) != "update_mask" {
		t.Errorf("a path that is no field: %v", err)
	}
	if _, err := subs.DeleteSubscription(ctx, &monitorv1.DeleteSubscriptionRequest{SubscriptionId: id, Etag: old}); status.Code(err) != codes.Aborted {
		t.Errorf("deleted under an old etag: %v", err)
	}
	if _, err := subs.DeleteSubscription(ctx, &monitorv1.DeleteSubscriptionRequest{SubscriptionId: id}); err != nil {
		t.Error(err)
	}
	if _, err := subs.DeleteSubscription(ctx, &monitorv1.DeleteSubscriptionRequest{SubscriptionId: id}); status.Code(err) != codes.NotFound {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestWhatCanBeNoSubscriptionIsRefused(t *testing.T) {
	t.Parallel()
	r := guarded(t)
	subs := monitorv1.NewSubscriptionServiceClient(r.conn)
	ctx := as(t, r.token(t, nil, "notifications:manage"))
	const webhook, slack, mail, am = monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_WEBHOOK, monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_SLACK,
		monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_EMAIL, monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_ALERTMANAGER
	for name, tt := range map[string]struct {
		s     *monitorv1.Subscription
		field string
	}{
		"no name":                     {&monitorv1.Subscription{Kind: webhook, Url: "https://a.example/"}, "subscription.name"},
		"no kind":                     {&monitorv1.Subscription{Name: "a", Url: "https://a.example/"}, "subscription.kind"},
		"no URL":                      {&monitorv1.Subscription{Name: "a", Kind: webhook}, "subscription.url"},
		"a private address":           {&monitorv1.Subscription{Name: "a", Kind: webhook, Url: "https://10.0.0.1/"}, "subscription.url"},
		"a metadata service":          {&monitorv1.Subscription{Name: "a", Kind: am, Url: "https://169.254.169.254/"}, "subscription.url"},
		"this machine":                {&monitorv1.Subscription{Name: "a", Kind: webhook, Url: "https://localhost:8080/"}, "subscription.url"},
		"an address in disguise":      {&monitorv1.Subscription{Name: "a", Kind: webhook, Url: "https://[::ffff:127.0.0.1]/"}, "subscription.url"},
		"user information":            {&monitorv1.Subscription{Name: "a", Kind: webhook, Url: "https://u:p@a.example/"}, "subscription.url"},
		"a secret in clear":           {&monitorv1.Subscription{Name: "a", Kind: slack, Url: "http://a.example/T/B/x"}, "subscription.url"},
		"a mail to nobody":            {&monitorv1.Subscription{Name: "a", Kind: mail}, "subscription.kind"}, // there is no server
		"a bearer token of the wrong": {&monitorv1.Subscription{Name: "a", Kind: slack, Url: "https://a.example/T/B/x", BearerToken: proto.String("x")}, "subscription.bearer_token"},
	} {
		if _, err := subs.CreateSubscription(ctx, &monitorv1.CreateSubscriptionRequest{Subscription: tt.s}); status.Code(err) != codes.InvalidArgument || fieldOf(err) != tt.field {
			t.Errorf("%s: %v names %q", name, err, fieldOf(err))
		}
	}
}

func TestATestIsSignedWithAllLiveSecrets(t *testing.T) {
	t.Parallel()
	r, subs := withWebhooks(t)
	ctx := as(t, r.token(t, nil, "notifications:manage"))
	to := newReceiver(t)
	asked := aWebhook(to.URL + "/hook")
	asked.BearerToken = proto.String("bearer-secret")
	made, err := subs.CreateSubscription(ctx, &monitorv1.CreateSubscriptionRequest{Subscription: asked})
	if err != nil {
		t.Fatal(err)
	}
	id := made.GetSubscription().GetSubscriptionId()
	test := func(verdict monitorv1.DeliveryVerdict, secrets ...string) received {
		t.Helper()
		resp, err := subs.TestSubscription(ctx, &monitorv1.TestSubscriptionRequest{SubscriptionId: id})
		if err != nil || resp.GetVerdict() != verdict || strings.Contains(resp.GetText(), "bearer-secret") {
			t.Fatalf("%v: %v", err, resp)
		}
		got := to.newest(t)
		var e monitorv1.Event
		if err := protojson.Unmarshal(got.body, &e); err != nil || e.GetEventId() != resp.GetEventId() || e.GetType() != monitorv1.EventType_EVENT_TYPE_TEST {
			t.Errorf("%v: the body is %s", err, got.body)
		}
		if got.header.Get("Idempotency-Key") != e.GetEventId() || got.header.Get("Authorization") != "Bearer bearer-secret" || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", got.header)
		}
		for _, secret := range secrets {
			w, err := standardwebhooks.NewWebhook(secret)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Verify(got.body, got.header); err != nil {
				t.Errorf("a live secret does not verify: %v", err)
			}
		}
		if n := len(strings.Fields(got.header.Get("webhook-signature"))); n != len(secrets) {
			t.Errorf("%d signatures of %d secrets", n, len(secrets))
		}
		return got
	}
	rotate := func(finish bool) string {
		t.Helper()
		resp, err := subs.RotateSubscriptionSecret(ctx, &monitorv1.RotateSubscriptionSecretRequest{SubscriptionId: id, Finish: finish})
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetSigningSecret()
	}
	const accepted = monitorv1.DeliveryVerdict_DELIVERY_VERDICT_ACCEPTED
	first := made.GetSigningSecret()
	test(accepted, first)
	second := rotate(false)
	test(accepted, second, first)
	third := rotate(false)
	test(accepted, third, second)
	if again := rotate(true); again != "" {
		t.Error("finishing a rotation makes a secret")
	}
	test(accepted, third)
	to.mu.Lock()
	to.code = http.StatusForbidden
	to.mu.Unlock()
	test(monitorv1.DeliveryVerdict_DELIVERY_VERDICT_REFUSED, third)
}

func TestASubscriptionIsMadeOnceUnderAKey(t *testing.T) {
	t.Parallel()
	r, subs := withWebhooks(t)
	ctx := as(t, r.token(t, nil, "notifications:manage"))
	req := &monitorv1.CreateSubscriptionRequest{Subscription: aWebhook("https://a.example/"), IdempotencyKey: "k"}
	first, err := subs.CreateSubscription(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	again, err := subs.CreateSubscription(ctx, req)
	if err != nil || !proto.Equal(again, first) || again.GetSigningSecret() == "" {
		t.Errorf("%v: %v, then %v", err, first, again)
	}
	// Somebody else's key is another one: the name is taken.
	if _, err := subs.CreateSubscription(as(t, r.token(t, nil, "admin")), req); status.Code(err) != codes.AlreadyExists {
		t.Errorf("another caller: %v", err)
	}
	if _, err := subs.DisableSubscription(ctx, &monitorv1.DisableSubscriptionRequest{SubscriptionId: first.GetSubscription().GetSubscriptionId()}); err != nil {
		t.Fatal(err)
	}
	again, err = subs.CreateSubscription(ctx, req)
	if err != nil || again.GetSigningSecret() != "" {
		t.Errorf("%v: after a change %v", err, again)
	}
	req.Subscription.Url = "https://b.example/"
	if _, err := subs.CreateSubscription(ctx, req); fieldOf(err) != "idempotency_key" {
		t.Errorf("the key of another: %v", err)
	}
}

func TestALimitedTokenManagesTheSubscriptionsOfItsBlogs(t *testing.T) {
	t.Parallel()
	r, subs := withWebhooks(t)
	all, mine := as(t, r.token(t, nil, "notifications:manage")), as(t, r.token(t, []int64{7, 9}, "notifications:manage"))
	create := func(name string, blogs ...int64) int64 {
		t.Helper()
		s := aWebhook("https://a.example/")
		s.Name, s.Filter = name, &monitorv1.SubscriptionFilter{BlogIds: blogs}
		made, err := subs.CreateSubscription(all, &monitorv1.CreateSubscriptionRequest{Subscription: s})
		if err != nil {
			t.Fatal(err)
		}
		return made.GetSubscription().GetSubscriptionId()
	}
	hidden := []int64{create("of all"), create("of another", 8), create("of mine and another", 7, 8)}
	own := create("of mine", 7)
	for _, id := range hidden {
		for name, err := range map[string]error{
			"get":     errOf(subs.GetSubscription(mine, &monitorv1.GetSubscriptionRequest{SubscriptionId: id})),
			"update":  errOf(subs.UpdateSubscription(mine, &monitorv1.UpdateSubscriptionRequest{Subscription: &monitorv1.Subscription{SubscriptionId: id, Name: "x"}})),
			"enable":  errOf(subs.EnableSubscription(mine, &monitorv1.EnableSubscriptionRequest{SubscriptionId: id})),
			"disable": errOf(subs.DisableSubscription(mine, &monitorv1.DisableSubscriptionRequest{SubscriptionId: id})),
			"test":    errOf(subs.TestSubscription(mine, &monitorv1.TestSubscriptionRequest{SubscriptionId: id})),
			"rotate":  errOf(subs.RotateSubscriptionSecret(mine, &monitorv1.RotateSubscriptionSecretRequest{SubscriptionId: id})),
			"delete":  errOf(subs.DeleteSubscription(mine, &monitorv1.DeleteSubscriptionRequest{SubscriptionId: id})),
		} {
			if status.Code(err) != codes.NotFound {
				t.Errorf("%s of subscription %d: %v", name, id, err)
			}
		}
	}
	list, err := subs.ListSubscriptions(mine, &monitorv1.ListSubscriptionsRequest{PageSize: 1})
	if err != nil || len(list.GetSubscriptions()) != 1 || list.GetSubscriptions()[0].GetSubscriptionId() != own || list.GetNextPageToken() != "" {
		t.Errorf("%v: listed %v", err, list)
	}
	// It can neither make nor widen one beyond its blogs.
	for name, blogs := range map[string][]int64{"all": nil, "others": {8}, "mine and others": {9, 8}} {
		s := aWebhook("https://a.example/")
		s.Filter = &monitorv1.SubscriptionFilter{BlogIds: blogs, Tags: []string{"x"}}
		if _, err := subs.CreateSubscription(mine, &monitorv1.CreateSubscriptionRequest{Subscription: s}); status.Code(err) != codes.PermissionDenied {
			t.Errorf("create for %s: %v", name, err)
		}
		req := &monitorv1.UpdateSubscriptionRequest{
			Subscription: &monitorv1.Subscription{SubscriptionId: own, Filter: s.GetFilter()}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"filter"}},
		}
		if _, err := subs.UpdateSubscription(mine, req); status.Code(err) != codes.PermissionDenied {
			t.Errorf("widened to %s: %v", name, err)
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestNoSecretOfASubscriptionIsOnRecord(t *testing.T) {
	t.Parallel()
	r, subs := withWebhooks(t)
	ctx := as(t, r.token(t, nil, "admin"))
	secrets := []string{"sesame-bearer", "sesame-path", "sesame-query"}
	hook := aWebhook("https://a.example/hook?key=sesame-query")
	hook.BearerToken = proto.String("sesame-bearer")
	made, err := subs.CreateSubscription(ctx, &monitorv1.CreateSubscriptionRequest{Subscription: hook})
	if err != nil {
		t.Fatal(err)
	}
	slack := &monitorv1.Subscription{Name: "chat", Kind: monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_SLACK, Url: "https://a.example/T/B/sesame-path"}
	chat, err := subs.CreateSubscription(ctx, &monitorv1.CreateSubscriptionRequest{Subscription: slack})
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := subs.RotateSubscriptionSecret(ctx, &monitorv1.RotateSubscriptionSecretRequest{SubscriptionId: made.GetSubscription().GetSubscriptionId()})
	if err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, made.GetSigningSecret(), rotated.GetSigningSecret())
	for _, id := range []int64{made.GetSubscription().GetSubscriptionId(), chat.GetSubscription().GetSubscriptionId()} {
		for range 2 {
			if _, err := subs.DisableSubscription(ctx, &monitorv1.DisableSubscriptionRequest{SubscriptionId: id}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := subs.DeleteSubscription(ctx, &monitorv1.DeleteSubscriptionRequest{SubscriptionId: id}); err != nil {
			t.Fatal(err)
		}
	}
	records, err := r.store.ListAudit(t.Context(), store.AuditQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	edits := 0
	for _, a := range records {
		text, _ := json.Marshal(a)
		for _, secret := range secrets {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s is on record: %s", secret, text)
			}
		}
		if strings.HasPrefix(a.Resource, "subscriptions/") {
			edits++
		}
	}
	if edits != 7 { // two made, one rotated, two disabled, two deleted
		t.Errorf("%d edits on record: %v", edits, records)
	}
}

func TestAPausedSubscriptionIsEnabled(t *testing.T) {
	t.Parallel()
	r, subs := withWebhooks(t)
	ctx := as(t, r.token(t, nil, "notifications:manage"))
	made, err := subs.CreateSubscription(ctx, &monitorv1.CreateSubscriptionRequest{Subscription: aWebhook("https://a.example/")})
	if err != nil {
		t.Fatal(err)
	}
	id := made.GetSubscription().GetSubscriptionId()
	_, err = r.store.EditSubscription(t.Context(), id, func(s subscription.Subscription) (subscription.Subscription, error) {
		s.State, s.Why = subscription.Paused, "HTTP 401"
		return s, nil
	}, func(_, s subscription.Subscription) record.Audit { return record.Audit{At: s.Updated} })
	if err != nil {
		t.Fatal(err)
	}
	got, err := subs.EnableSubscription(ctx, &monitorv1.EnableSubscriptionRequest{SubscriptionId: id})
	if err != nil || got.GetSubscription().GetState() != monitorv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE || got.GetSubscription().GetStateReason() != "" {
		t.Errorf("%v: %v", err, got)
	}
}

// subscriptionsOnRecord makes each edit of a subscription.
func (r *rig) subscriptionsOnRecord(t *testing.T, ctx context.Context) {
	t.Helper()
	subs := monitorv1.NewSubscriptionServiceClient(r.conn)
	made, err := subs.CreateSubscription(ctx, &monitorv1.CreateSubscriptionRequest{Subscription: aWebhook("https://a.example/")})
	if err != nil {
		t.Fatal(err)
	}
	id := made.GetSubscription().GetSubscriptionId()
	for name, err := range map[string]error{
		"update":  errOf(subs.UpdateSubscription(ctx, &monitorv1.UpdateSubscriptionRequest{Subscription: &monitorv1.Subscription{SubscriptionId: id, Burst: 3}})),
		"disable": errOf(subs.DisableSubscription(ctx, &monitorv1.DisableSubscriptionRequest{SubscriptionId: id})),
		"enable":  errOf(subs.EnableSubscription(ctx, &monitorv1.EnableSubscriptionRequest{SubscriptionId: id})),
		"rotate":  errOf(subs.RotateSubscriptionSecret(ctx, &monitorv1.RotateSubscriptionSecretRequest{SubscriptionId: id})),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := subs.DeleteSubscription(ctx, &monitorv1.DeleteSubscriptionRequest{SubscriptionId: id}); err != nil {
		t.Error(err)
	}
}
