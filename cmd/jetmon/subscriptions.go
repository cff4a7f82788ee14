package main

import (
	"context"
	"crypto/rand"

	"github.com/Automattic/jetmon/internal/cli"
)

// subscriptionsCommand is `jetmon subscriptions`.
type subscriptionsCommand struct {
	List    listSubscriptionsCommand   `cmd:"" help:"List who is told of which events."`
	Get     getSubscriptionCommand     `cmd:"" help:"Show one subscription, without its secrets."`
	Add     addSubscriptionCommand     `cmd:"" help:"Have somebody told: by a webhook, Slack, mail, or Alertmanager. Prints the secret that signs webhooks, once."`
	Edit    editSubscriptionCommand    `cmd:"" help:"Change what the flags name of a subscription, and nothing else."`
	Enable  enableSubscriptionCommand  `cmd:"" help:"Tell a subscription again that was disabled or paused; what waits is told."`
	Disable disableSubscriptionCommand `cmd:"" help:"Tell a subscription nothing. What happens meanwhile is not told later."`
	Test    testSubscriptionCommand    `cmd:"" help:"Send a test at once and print what came back. The exit code is 1 if it was not accepted."`
	Rotate  rotateSubscriptionCommand  `cmd:"" help:"Give a webhook a new secret beside the one it has, or, with --finish, end the older one."`
	Delete  deleteSubscriptionCommand  `cmd:"" help:"Remove a subscription, and what it was to be told."`
}

// listSubscriptionsCommand is `jetmon subscriptions list`.
type listSubscriptionsCommand struct {
	Limit int `default:"100" help:"Maximum number of subscriptions to list; 0: all."`

	clientFlags `embed:""`
}

// Run lists the subscriptions.
func (c *listSubscriptionsCommand) Run(ctx context.Context, p *program) error {
	if c.Limit < 0 {
		return usagef("--limit must not be negative")
	}
	return c.ask(p, func(client cli.Client) error { return client.ListSubscriptions(ctx, c.Limit) })
}

// subscriptionFlags name one subscription.
type subscriptionFlags struct {
	Subscription int64 `arg:"" name:"id" help:"Id of the subscription, as jetmon subscriptions list shows it."`

	clientFlags `embed:""`
}

// do asks the coordinator about the subscription.
func (f subscriptionFlags) do(p *program, deed func(client cli.Client, id int64) error) error {
	if f.Subscription <= 0 {
		return usagef("%d is no id of a subscription", f.Subscription)
	}
	return f.ask(p, func(client cli.Client) error { return deed(client, f.Subscription) })
}

// getSubscriptionCommand is `jetmon subscriptions get ID`.
type getSubscriptionCommand struct {
	subscriptionFlags `embed:""`
}

// Run shows the subscription.
func (c *getSubscriptionCommand) Run(ctx context.Context, p *program) error {
	return c.do(p, func(client cli.Client, id int64) error { return client.GetSubscription(ctx, id) })
}

// addSubscriptionCommand is `jetmon subscriptions add NAME`.
type addSubscriptionCommand struct {
	Name string `arg:"" name:"name" help:"What it is for; no other subscription may have the name."`
	Kind string `noenv:"" required:"" placeholder:"KIND" words:"webhook,slack,email,alertmanager,wpcom" help:"By which way: webhook, slack, email, alertmanager or wpcom."`

	listenerFlags `embed:""`
	clientFlags   `embed:""`
}

// Run makes the subscription.
func (c *addSubscriptionCommand) Run(ctx context.Context, p *program) error {
	e := c.edit()
	e.s.Name = c.Name
	wordInto(&e, "kind", c.Kind, &e.s.Kind)
	if e.err != nil {
		return e.err
	}
	return c.ask(p, func(client cli.Client) error { return client.AddSubscription(ctx, e.s, rand.Text()) })
}

// editSubscriptionCommand is `jetmon subscriptions edit ID`.
type editSubscriptionCommand struct {
	Name    string   `noenv:"" placeholder:"NAME" help:"What it is for."`
	Clear   []string `noenv:"" sep:"," placeholder:"FIELD" words:"bearer_token,labels,types,site_ids,blog_ids,tags,hosts,advisories,delay,rate,burst" help:"Fields to empty (repeatable): bearer_token, labels, types, site_ids, blog_ids, tags, hosts, advisories, delay, rate, burst."`
	IfMatch string   `noenv:"" placeholder:"ETAG" help:"Only if the subscription still has this etag."`

	listenerFlags     `embed:""`
	subscriptionFlags `embed:""`
}

// Run edits the subscription.
func (c *editSubscriptionCommand) Run(ctx context.Context, p *program) error {
	e := c.edit()
	if c.Name != "" {
		e.s.Name = c.Name
		e.mask = append(e.mask, "name")
	}
	e.clear(c.Clear)
	switch {
	case e.err != nil:
		return e.err
	case len(e.mask) == 0:
		return usagef("there is nothing to change: give a flag, as --delay 2m")
	}
	return c.do(p, func(client cli.Client, id int64) error {
		e.s.SubscriptionId, e.s.Etag = id, c.IfMatch
		return client.EditSubscription(ctx, e.s, e.mask)
	})
}

// enableSubscriptionCommand is `jetmon subscriptions enable ID`.
type enableSubscriptionCommand struct {
	subscriptionFlags `embed:""`
}

// Run enables the subscription.
func (c *enableSubscriptionCommand) Run(ctx context.Context, p *program) error {
	return c.do(p, func(client cli.Client, id int64) error { return client.EnableSubscription(ctx, id) })
}

// disableSubscriptionCommand is `jetmon subscriptions disable ID`.
type disableSubscriptionCommand struct {
	subscriptionFlags `embed:""`
}

// Run disables the subscription.
func (c *disableSubscriptionCommand) Run(ctx context.Context, p *program) error {
	return c.do(p, func(client cli.Client, id int64) error { return client.DisableSubscription(ctx, id) })
}

// testSubscriptionCommand is `jetmon subscriptions test ID`.
type testSubscriptionCommand struct {
	subscriptionFlags `embed:""`
}

// Run tests the subscription.
func (c *testSubscriptionCommand) Run(ctx context.Context, p *program) error {
	return c.do(p, func(client cli.Client, id int64) error {
		accepted, err := client.TestSubscription(ctx, id)
		if err == nil && !accepted {
			return exitCode(exitFailed)
		}
		return err
	})
}

// rotateSubscriptionCommand is `jetmon subscriptions rotate ID`.
type rotateSubscriptionCommand struct {
	Finish bool `noenv:"" help:"Make no secret, and end all but the newest."`

	subscriptionFlags `embed:""`
}

// Run rotates the secrets of the subscription.
func (c *rotateSubscriptionCommand) Run(ctx context.Context, p *program) error {
	return c.do(p, func(client cli.Client, id int64) error { return client.RotateSubscription(ctx, id, c.Finish) })
}

// deleteSubscriptionCommand is `jetmon subscriptions delete ID`.
type deleteSubscriptionCommand struct {
	Yes     bool   `noenv:"" short:"y" help:"Do not ask. Without a terminal there is nobody to ask, and nothing is removed without it."`
	IfMatch string `noenv:"" placeholder:"ETAG" help:"Only if the subscription still has this etag."`

	subscriptionFlags `embed:""`
}

// Run deletes the subscription.
func (c *deleteSubscriptionCommand) Run(ctx context.Context, p *program) error {
	if !c.Yes && (!isTerminal(p.In) || !isTerminal(p.Err)) {
		return usagef("nobody can be asked without a terminal: give --yes")
	}
	return c.do(p, func(client cli.Client, id int64) error {
		if !c.Yes {
			line, err := client.DescribeSubscription(ctx, id)
			if err != nil {
				return err
			}
			if err := p.confirm(ctx, "  "+line+"\nDelete this subscription, and what it was to be told?"); err != nil {
				return err
			}
		}
		return client.DeleteSubscription(ctx, id, c.IfMatch)
	})
}
