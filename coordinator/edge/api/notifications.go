package api

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// notifications is the NotificationService.
type notifications struct {
	monitorv1.UnimplementedNotificationServiceServer
	o Options
}

// replayStep is how many notifications are had told again in one transaction.
const replayStep = 500

func (s *notifications) ListNotifications(ctx context.Context, req *monitorv1.ListNotificationsRequest) (*monitorv1.ListNotificationsResponse, error) {
	before, err := parseToken(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := pageSize(req.GetPageSize())
	q := store.DeliveryQuery{Before: before, Limit: size + 1, SiteID: check.SiteID(req.GetSiteId()), Key: req.GetEventId()}
	if q.Since, q.Until, err = span(req.GetSinceTime(), req.GetUntilTime()); err != nil {
		return nil, err
	}
	if req.SubscriptionId != nil {
		q.Subscriptions = []int64{req.GetSubscriptionId()}
	}
	for _, state := range req.GetStates() {
		q.States = append(q.States, delivery.State(state))
	}
	if size == maxPage {
		q.Limit = size // the store reads no more; the page after a full one may be empty
	}
	rows, err := s.o.Store.ListDeliveries(ctx, q)
	if err != nil {
		return nil, err
	}
	resp := &monitorv1.ListNotificationsResponse{}
	if len(rows) > 0 && len(rows) == q.Limit {
		rows = rows[:min(size, len(rows))]
		resp.NextPageToken = token(rows[len(rows)-1].ID)
	}
	for _, row := range rows {
		resp.Notifications = append(resp.Notifications, notificationToProto(row))
	}
	return resp, nil
}

// span converts the bounds of a request; the zero time is none.
func span(since, until *timestamppb.Timestamp) (from, to time.Time, err error) {
	if since != nil {
		if err := since.CheckValid(); err != nil {
			return from, to, fault.InvalidField("since_time", "is no valid time")
		}
		from = since.AsTime()
	}
	if until != nil {
		if err := until.CheckValid(); err != nil {
			return from, to, fault.InvalidField("until_time", "is no valid time")
		}
		to = until.AsTime()
	}
	return from, to, nil
}

func (s *notifications) GetNotification(ctx context.Context, req *monitorv1.GetNotificationRequest) (*monitorv1.GetNotificationResponse, error) {
	row, attempts, err := s.o.Store.Delivery(ctx, req.GetNotificationId())
	if err != nil {
		return nil, err
	}
	resp := &monitorv1.GetNotificationResponse{Notification: notificationToProto(row)}
	for _, a := range attempts {
		resp.Attempts = append(resp.Attempts, attemptToProto(a))
	}
	return resp, nil
}

func (s *notifications) ReplayNotification(ctx context.Context, req *monitorv1.ReplayNotificationRequest) (*monitorv1.ReplayNotificationResponse, error) {
	now := time.Now().Truncate(time.Millisecond)
	id := req.GetNotificationId()
	before, _, err := s.o.Store.Delivery(ctx, id)
	if err != nil {
		return nil, err
	}
	d := deed(ctx, monitorv1.NotificationService_ReplayNotification_FullMethodName)
	_, err = s.o.Store.Redeliver(ctx, store.DeliveryQuery{ID: id, Tell: func(int) record.Audit {
		return d.record(now, "notifications/"+strconv.FormatInt(id, 10), notificationToProto(before), nil)
	}}, now, 1)
	if fault.Is(err, fault.Conflict) {
		return nil, fault.New(fault.Fenced, "notification %d is still to be told", id)
	}
	if err != nil {
		return nil, err
	}
	row, _, err := s.o.Store.Delivery(ctx, id)
	if err != nil {
		return nil, err
	}
	return &monitorv1.ReplayNotificationResponse{Notification: notificationToProto(row)}, nil
}

func (s *notifications) ReplayNotifications(ctx context.Context, req *monitorv1.ReplayNotificationsRequest) (*monitorv1.ReplayNotificationsResponse, error) {
	now := time.Now().Truncate(time.Millisecond)
	id := req.GetSubscriptionId()
	q := store.DeliveryQuery{Subscriptions: []int64{id}, States: []delivery.State{delivery.Dead}}
	var err error
	if q.Since, q.Until, err = span(req.GetSinceTime(), req.GetUntilTime()); err != nil {
		return nil, err
	}
	if req.GetDelivered() {
		if req.GetSinceTime() == nil {
			return nil, fault.InvalidField("since_time", "must be given where delivered is set")
		}
		q.States = append(q.States, delivery.Delivered)
	}
	if id != subscription.WordPressCom {
		if _, err := s.o.Store.Subscription(ctx, id); err != nil {
			return nil, err
		}
	}
	d := deed(ctx, monitorv1.NotificationService_ReplayNotifications_FullMethodName)
	asked := proto.CloneOf(req)
	q.Tell = func(int) record.Audit { return d.record(now, subscriptionName(id), nil, asked) }
	resp := &monitorv1.ReplayNotificationsResponse{}
	for {
		n, err := s.o.Store.Redeliver(ctx, q, now, replayStep)
		resp.Count += int64(n)
		if err != nil || n < replayStep {
			return resp, err
		}
		q.Tell = nil // it is on record
	}
}

// notificationToProto converts a delivery.
func notificationToProto(d delivery.Delivery) *monitorv1.Notification {
	p := &monitorv1.Notification{
		NotificationId: d.ID, SubscriptionId: d.Subscription, EventId: d.Key, EventType: monitorv1.EventType(d.Type), SiteId: int64(d.SiteID),
		State: monitorv1.NotificationState(d.State), AttemptCount: int32(d.Attempts), CreateTime: timestamp(d.Created), EndTime: timestamp(d.Done),
	}
	if d.State == delivery.Waiting || d.State == delivery.Alive {
		p.NextAttemptTime = timestamp(d.Next)
	}
	if !d.Tried.IsZero() {
		p.LastAttempt = attemptToProto(delivery.Attempt{Number: d.Attempts, At: d.Tried, Answer: d.Newest})
	}
	return p
}

func attemptToProto(a delivery.Attempt) *monitorv1.NotificationAttempt {
	return &monitorv1.NotificationAttempt{
		Number: int32(a.Number), StartTime: timestamp(a.At), Duration: durationpb.New(a.Took),
		Accepted: a.Accepted, HttpStatus: int32(a.HTTPStatus), Text: a.Text,
	}
}
