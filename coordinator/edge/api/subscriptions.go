package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/fault"
)

// subscriptions is the SubscriptionService.
type subscriptions struct {
	monitorv1.UnimplementedSubscriptionServiceServer
	o Options
	// testing has an entry for each test under way.
	testing chan struct{}
}

const (
	// maxTests is how many tests may be under way; testRetry is when to ask again.
	maxTests  = 16
	testRetry = 5 * time.Second
	// testTimeout bounds a test: what a channel takes, and a little.
	testTimeout = 25 * time.Second
)

func newSubscriptions(o Options) *subscriptions {
	return &subscriptions{o: o, testing: make(chan struct{}, maxTests)}
}

func (s *subscriptions) CreateSubscription(ctx context.Context, req *monitorv1.CreateSubscriptionRequest) (*monitorv1.CreateSubscriptionResponse, error) {
	now := time.Now().Truncate(time.Millisecond) // as it is stored
	sub := subscription.Subscription{
		Kind: subscription.Kind(req.GetSubscription().GetKind()), State: subscription.Active, Since: now, Created: now, Updated: now,
	}
	if err := applySubscription(&sub, req.GetSubscription(), subscriptionFields()); err != nil {
		return nil, err
	}
	if sub.Kind == subscription.Webhook {
		sub.Secrets.Signing = []string{newSigningSecret()}
	}
	if err := s.check(ctx, sub); err != nil {
		return nil, err
	}
	key, err := subscriptionKey(ctx, req, now)
	if err != nil {
		return nil, err
	}
	d := deed(ctx, monitorv1.SubscriptionService_CreateSubscription_FullMethodName)
	sub, err = s.o.Store.CreateSubscription(ctx, key, sub, func(made subscription.Subscription) record.Audit {
		return d.record(now, subscriptionName(made.ID), nil, subscriptionToProto(made))
	})
	if err != nil {
		return nil, err
	}
	resp := &monitorv1.CreateSubscriptionResponse{Subscription: subscriptionToProto(sub)}
	if sub.Revision == 1 && len(sub.Secrets.Signing) > 0 {
		resp.SigningSecret = sub.Secrets.Signing[0]
	}
	return resp, nil
}

// subscriptionKey returns the idempotency key of a request; a zero one when it has none.
func subscriptionKey(ctx context.Context, req *monitorv1.CreateSubscriptionRequest, now time.Time) (store.Key, error) {
	if req.GetIdempotencyKey() == "" {
		return store.Key{}, nil
	}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(req.GetSubscription())
	if err != nil {
		return store.Key{}, fault.New(fault.Internal, "encode a subscription: %w", err)
	}
	return store.Key{
		Hash:    sha256.Sum256([]byte("subscription\x00" + access.From(ctx).String() + "\x00" + req.GetIdempotencyKey())),
		Request: sha256.Sum256(text),
		At:      now,
	}, nil
}

// check refuses a subscription that the caller may not have, or that could not be told.
func (s *subscriptions) check(ctx context.Context, sub subscription.Subscription) error {
	if c := access.From(ctx); !seesSubscription(c, sub) {
		return fault.New(fault.Denied, "%s may have only subscriptions whose filter.blog_ids names some of its blogs, and no others", c)
	}
	if err := fits(sub); err != nil {
		return err
	}
	ch, err := s.o.Channels(sub)
	if e, ok := errors.AsType[*subscription.EndpointError](err); ok {
		return fault.InvalidField("subscription."+e.Field, "%w", e.Err)
	}
	if err == nil {
		ch.Close()
	}
	return err
}

// newSigningSecret returns a secret in the form of Standard Webhooks.
func newSigningSecret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(b[:])
}

func subscriptionName(id int64) string { return "subscriptions/" + strconv.FormatInt(id, 10) }

func (s *subscriptions) GetSubscription(ctx context.Context, req *monitorv1.GetSubscriptionRequest) (*monitorv1.GetSubscriptionResponse, error) {
	sub, err := s.o.Store.Subscription(ctx, req.GetSubscriptionId())
	if err != nil {
		return nil, err
	}
	return &monitorv1.GetSubscriptionResponse{Subscription: subscriptionToProto(sub)}, nil
}

func (s *subscriptions) ListSubscriptions(ctx context.Context, req *monitorv1.ListSubscriptionsRequest) (*monitorv1.ListSubscriptionsResponse, error) {
	after, err := parseToken(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := pageSize(req.GetPageSize())
	rows, err := s.o.Store.ListSubscriptions(ctx, after, size+1)
	if err != nil {
		return nil, err
	}
	resp := &monitorv1.ListSubscriptionsResponse{}
	if len(rows) > size {
		rows = rows[:size]
		resp.NextPageToken = token(rows[size-1].ID)
	}
	for _, row := range rows {
		resp.Subscriptions = append(resp.Subscriptions, subscriptionToProto(row))
	}
	return resp, nil
}

func (s *subscriptions) UpdateSubscription(ctx context.Context, req *monitorv1.UpdateSubscriptionRequest) (*monitorv1.UpdateSubscriptionResponse, error) {
	in := req.GetSubscription()
	if in.GetSubscriptionId() <= 0 {
		return nil, fault.InvalidField("subscription.subscription_id", "must be greater than 0")
	}
	paths, err := maskPaths(in.ProtoReflect(), req.GetUpdateMask().GetPaths(), wholeSubscription(), "subscription")
	if err != nil {
		return nil, err
	}
	// A mistake is one whether there is the subscription or not.
	if err := applySubscription(&subscription.Subscription{Kind: subscription.Kind(in.GetKind())}, in, paths); err != nil {
		return nil, err
	}
	sub, err := s.edit(ctx, monitorv1.SubscriptionService_UpdateSubscription_FullMethodName, in.GetSubscriptionId(),
		func(sub *subscription.Subscription) error {
			if err := checkSubscriptionETag(*sub, in.GetEtag()); err != nil {
				return err
			}
			was := *sub
			if err := applySubscription(sub, in, paths); err != nil {
				return err
			}
			if err := keepsBearer(was, *sub, paths); err != nil {
				return err
			}
			return s.check(ctx, *sub)
		})
	if err != nil {
		return nil, err
	}
	return &monitorv1.UpdateSubscriptionResponse{Subscription: subscriptionToProto(sub)}, nil
}

// edit makes an edit of a subscription, which is on record as the deed of a call.
func (s *subscriptions) edit(ctx context.Context, method string, id int64, change func(*subscription.Subscription) error) (subscription.Subscription, error) {
	now := time.Now().Truncate(time.Millisecond)
	d := deed(ctx, method)
	return s.o.Store.EditSubscription(ctx, id, func(sub subscription.Subscription) (subscription.Subscription, error) {
		sub.Filter, sub.Secrets.Signing = cloneFilter(sub.Filter), slices.Clone(sub.Secrets.Signing)
		err := change(&sub)
		sub.Updated = now
		return sub, err
	}, func(before, after subscription.Subscription) record.Audit {
		return d.record(now, subscriptionName(id), subscriptionToProto(before), subscriptionToProto(after))
	})
}

func (s *subscriptions) DeleteSubscription(ctx context.Context, req *monitorv1.DeleteSubscriptionRequest) (*monitorv1.DeleteSubscriptionResponse, error) {
	now := time.Now()
	d := deed(ctx, monitorv1.SubscriptionService_DeleteSubscription_FullMethodName)
	err := s.o.Store.DeleteSubscription(ctx, req.GetSubscriptionId(),
		func(sub subscription.Subscription) error { return checkSubscriptionETag(sub, req.GetEtag()) },
		func(sub subscription.Subscription) record.Audit {
			return d.record(now, subscriptionName(sub.ID), subscriptionToProto(sub), nil)
		})
	if err != nil {
		return nil, err
	}
	s.forget(ctx, req.GetSubscriptionId())
	return &monitorv1.DeleteSubscriptionResponse{}, nil
}

const (
	// forgetStep is how many deliveries are forgotten at once, forgetSteps how often in a call.
	forgetStep  = 500
	forgetSteps = 10
)

// forget deletes what a subscription that is gone was to be told. What it does not manage to,
// retention does later.
func (s *subscriptions) forget(ctx context.Context, id int64) {
	for range forgetSteps {
		if n, err := s.o.Store.ForgetDeliveries(ctx, id, forgetStep); err != nil || n < forgetStep {
			return
		}
	}
}

func (s *subscriptions) EnableSubscription(ctx context.Context, req *monitorv1.EnableSubscriptionRequest) (*monitorv1.EnableSubscriptionResponse, error) {
	sub, err := s.turn(ctx, monitorv1.SubscriptionService_EnableSubscription_FullMethodName, req.GetSubscriptionId(), subscription.Active)
	if err != nil {
		return nil, err
	}
	return &monitorv1.EnableSubscriptionResponse{Subscription: subscriptionToProto(sub)}, nil
}

func (s *subscriptions) DisableSubscription(ctx context.Context, req *monitorv1.DisableSubscriptionRequest) (*monitorv1.DisableSubscriptionResponse, error) {
	sub, err := s.turn(ctx, monitorv1.SubscriptionService_DisableSubscription_FullMethodName, req.GetSubscriptionId(), subscription.Disabled)
	if err != nil {
		return nil, err
	}
	return &monitorv1.DisableSubscriptionResponse{Subscription: subscriptionToProto(sub)}, nil
}

// turn gives a subscription a state.
func (s *subscriptions) turn(ctx context.Context, method string, id int64, to subscription.State) (subscription.Subscription, error) {
	return s.edit(ctx, method, id, func(sub *subscription.Subscription) error {
		if sub.State == to {
			return nil
		}
		sub.State, sub.Why, sub.Since = to, "", time.Now().Truncate(time.Millisecond)
		if to == subscription.Disabled {
			sub.Why = "disabled by " + access.From(ctx).String()
		}
		return nil
	})
}

func (s *subscriptions) RotateSubscriptionSecret(ctx context.Context, req *monitorv1.RotateSubscriptionSecretRequest) (*monitorv1.RotateSubscriptionSecretResponse, error) {
	var made string
	sub, err := s.edit(ctx, monitorv1.SubscriptionService_RotateSubscriptionSecret_FullMethodName, req.GetSubscriptionId(),
		func(sub *subscription.Subscription) error {
			made = ""
			if sub.Kind != subscription.Webhook {
				return fault.New(fault.Fenced, "subscription %d is no webhook: it has no secret that signs", sub.ID)
			}
			if !req.GetFinish() {
				made = newSigningSecret()
				sub.Secrets.Signing = slices.Insert(sub.Secrets.Signing, 0, made)
			}
			live := 2
			if req.GetFinish() {
				live = 1
			}
			sub.Secrets.Signing = sub.Secrets.Signing[:min(live, len(sub.Secrets.Signing))]
			return nil
		})
	if err != nil {
		return nil, err
	}
	return &monitorv1.RotateSubscriptionSecretResponse{Subscription: subscriptionToProto(sub), SigningSecret: made}, nil
}

func (s *subscriptions) TestSubscription(ctx context.Context, req *monitorv1.TestSubscriptionRequest) (*monitorv1.TestSubscriptionResponse, error) {
	sub, err := s.o.Store.Subscription(ctx, req.GetSubscriptionId())
	if err != nil {
		return nil, err
	}
	select {
	case s.testing <- struct{}{}:
		defer func() { <-s.testing }()
	default:
		return nil, fault.New(fault.Exhausted, "%d tests are under way already", maxTests).
			With(&errdetails.RetryInfo{RetryDelay: durationpb.New(testRetry)})
	}
	ch, err := s.o.Channels(sub)
	if err != nil {
		return nil, fault.New(fault.Fenced, "subscription %d cannot be told: %w", sub.ID, err)
	}
	defer ch.Close()
	d, err := newTest(sub, time.Now())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	start := time.Now()
	answer := ch.Tell(ctx, d)
	return &monitorv1.TestSubscriptionResponse{
		Verdict: monitorv1.DeliveryVerdict(answer.Verdict), HttpStatus: int32(answer.HTTPStatus), Text: answer.Text,
		Duration: durationpb.New(time.Since(start).Round(time.Millisecond)), EventId: d.Key,
	}, nil
}

// newTest returns the delivery of a test.
func newTest(sub subscription.Subscription, now time.Time) (channel.Delivery, error) {
	var b [8]byte
	rand.Read(b[:]) // never fails
	e := event.Event{
		Version: event.Version, Type: event.Test, Time: event.At(now),
		ID: "test-" + strconv.FormatInt(sub.ID, 10) + "-" + hex.EncodeToString(b[:]),
	}
	body, err := e.Encode()
	return channel.Delivery{Key: e.ID, Attempt: 1, Body: body, Event: e}, err
}
