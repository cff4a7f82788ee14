package main

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli"
)

// notificationsCommand is `jetmon notifications`.
type notificationsCommand struct {
	List   listNotificationsCommand   `cmd:"" help:"List what subscriptions are told, the newest first."`
	Show   showNotificationCommand    `cmd:"" help:"Show one notification with its attempts and their answers."`
	Replay replayNotificationsCommand `cmd:"" help:"Tell one notification again, or the dead letters of a subscription, under the same keys."`
	Test   testSubscriptionCommand    `cmd:"" help:"Send a test to a subscription at once, as jetmon subscriptions test does."`
}

// listNotificationsCommand is `jetmon notifications list`.
type listNotificationsCommand struct {
	Subscription *int64   `noenv:"" placeholder:"ID" help:"Only those of this subscription; 0 is WordPress.com."`
	Site         int64    `noenv:"" placeholder:"ID" help:"Only those about this site."`
	State        []string `noenv:"" sep:"," placeholder:"STATE" words:"waiting,behind,delivered,dead,superseded,alive" help:"Only those in one of these states (repeatable): waiting, behind, delivered, dead, superseded, alive."`
	Event        string   `noenv:"" placeholder:"ID" help:"Only those of this event."`
	Since        *age     `noenv:"" placeholder:"TIME" help:"Only those made in this time until now, as 2h."`
	Limit        int      `default:"100" help:"Maximum number of notifications to list; 0: all."`

	clientFlags `embed:""`
}

// Run lists the notifications.
func (c *listNotificationsCommand) Run(ctx context.Context, p *program) error {
	if c.Limit < 0 || c.Site < 0 || c.Subscription != nil && *c.Subscription < 0 {
		return usagef("--limit, --site and --subscription must not be negative")
	}
	l := cli.NotificationList{Subscription: c.Subscription, Site: c.Site, Event: c.Event, Limit: c.Limit, Since: ago(c.Since)}
	e := subscriptionEdit{}
	wordsInto[monitorv1.NotificationState](&e, "state", c.State, &l.States)
	if e.err != nil {
		return e.err
	}
	return c.ask(p, func(client cli.Client) error { return client.ListNotifications(ctx, l) })
}

// ago converts an age to a time; the zero time is none.
func ago(a *age) time.Time {
	if a == nil {
		return time.Time{}
	}
	return time.Now().Add(-time.Duration(*a))
}

// showNotificationCommand is `jetmon notifications show ID`.
type showNotificationCommand struct {
	Notification int64 `arg:"" name:"id" help:"Id of the notification, as jetmon notifications list shows it."`

	clientFlags `embed:""`
}

// Run shows the notification.
func (c *showNotificationCommand) Run(ctx context.Context, p *program) error {
	return c.ask(p, func(client cli.Client) error { return client.ShowNotification(ctx, c.Notification) })
}

// replayNotificationsCommand is `jetmon notifications replay`.
type replayNotificationsCommand struct {
	Notification *int64 `arg:"" optional:"" name:"id" help:"Id of one notification."`
	Subscription *int64 `noenv:"" placeholder:"ID" help:"The dead letters of this subscription instead; 0 is WordPress.com."`
	Since        *age   `noenv:"" placeholder:"TIME" help:"With --subscription: only those made in this time until now, as 24h."`
	Delivered    bool   `noenv:"" help:"With --subscription and --since: also those that were delivered, for a receiver that has lost them."`

	clientFlags `embed:""`
}

// Run has the notifications told again.
func (c *replayNotificationsCommand) Run(ctx context.Context, p *program) error {
	switch {
	case (c.Notification == nil) == (c.Subscription == nil):
		return usagef("give the id of a notification, or --subscription")
	case c.Subscription == nil && (c.Since != nil || c.Delivered):
		return usagef("--since and --delivered need --subscription")
	case c.Delivered && c.Since == nil:
		return usagef("--delivered needs --since")
	}
	return c.ask(p, func(client cli.Client) error {
		if c.Notification != nil {
			return client.ReplayNotification(ctx, *c.Notification)
		}
		return client.ReplayNotifications(ctx, cli.Replay{Subscription: *c.Subscription, Since: ago(c.Since), Delivered: c.Delivered})
	})
}
