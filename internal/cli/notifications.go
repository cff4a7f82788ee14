package cli

import (
	"context"
	"io"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// replayTimeout limits the time of one call that has many notifications told again.
const replayTimeout = time.Minute

// NotificationList selects the notifications to list.
type NotificationList struct {
	// Subscription, unless nil, is the one that is told.
	Subscription *int64
	// Site, when not 0, is the one that they are about.
	Site int64
	// States, when not empty, are the states.
	States []monitorv1.NotificationState
	// Event, when not empty, is the id of the event.
	Event string
	// Since and Until, unless zero, bound when they were made.
	Since, Until time.Time
	// Limit is the maximum number of notifications; 0 means all.
	Limit int
}

func (c Client) notifications() monitorv1.NotificationServiceClient {
	return monitorv1.NewNotificationServiceClient(c.Conn)
}

// optionalTime converts a time; the zero time is none.
func optionalTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// ListNotifications prints notifications in a table, those made last first.
func (c Client) ListNotifications(ctx context.Context, l NotificationList) error {
	return list(ctx, c, listing[*monitorv1.Notification]{
		name: "notifications", titles: format.NotificationTitles(), cells: format.NotificationCells, limit: l.Limit,
		page: func(ctx context.Context, size int32, token string) ([]*monitorv1.Notification, string, error) {
			resp, err := call(ctx, &monitorv1.ListNotificationsRequest{
				PageSize: size, PageToken: token, SubscriptionId: l.Subscription, SiteId: l.Site, States: l.States, EventId: l.Event,
				SinceTime: optionalTime(l.Since), UntilTime: optionalTime(l.Until),
			}, c.notifications().ListNotifications)
			return resp.GetNotifications(), resp.GetNextPageToken(), err
		},
	})
}

// ShowNotification prints a notification with its attempts.
func (c Client) ShowNotification(ctx context.Context, id int64) error {
	resp, err := call(ctx, &monitorv1.GetNotificationRequest{NotificationId: id}, c.notifications().GetNotification)
	if err != nil {
		return c.explain(err)
	}
	return c.show(resp, func(w io.Writer) error { return format.Notification(w, resp.GetNotification(), resp.GetAttempts()) })
}

// ReplayNotification has a notification told again, and prints it.
func (c Client) ReplayNotification(ctx context.Context, id int64) error {
	resp, err := once(ctx, askTimeout, &monitorv1.ReplayNotificationRequest{NotificationId: id}, c.notifications().ReplayNotification)
	if err != nil {
		return c.explain(err)
	}
	return c.show(resp.GetNotification(), func(w io.Writer) error { return format.Notification(w, resp.GetNotification(), nil) })
}

// Replay selects notifications of a subscription to tell again.
type Replay struct {
	Subscription int64
	// Since and Until, unless zero, bound when they were made.
	Since, Until time.Time
	// Delivered includes those that were delivered; else it is dead letters only.
	Delivered bool
}

// ReplayNotifications has notifications told again, and prints how many.
func (c Client) ReplayNotifications(ctx context.Context, r Replay) error {
	resp, err := once(ctx, replayTimeout, &monitorv1.ReplayNotificationsRequest{
		SubscriptionId: r.Subscription, SinceTime: optionalTime(r.Since), UntilTime: optionalTime(r.Until), Delivered: r.Delivered,
	}, c.notifications().ReplayNotifications)
	if err != nil {
		return c.explain(err)
	}
	return c.show(resp, func(w io.Writer) error { return format.Replayed(w, resp.GetCount()) })
}
