package cli

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// Limits of what top asks.
const (
	// topOutages and topNotifications are how many of them it counts.
	topOutages, topNotifications = 200, 100
	// topSlow is how often it asks for notifications.
	topSlow = 5 * time.Second
	// topTimeout limits one call.
	topTimeout = 5 * time.Second
	// topLook is how often it looks for another size of the terminal.
	topLook = 200 * time.Millisecond
)

// Key is a key that top knows.
type Key int

// The keys.
const (
	KeyQuit Key = iota
	KeyUp
	KeyDown
	KeyPageUp
	KeyPageDown
	KeyHome
	KeyEnd
	KeyNow
)

// TopOptions configure Top.
type TopOptions struct {
	// Every is the time from one question to the next.
	Every time.Duration
	// Keys are what somebody types, Size the terminal's size.
	Keys  <-chan Key
	Size  func() (columns, rows int)
	Color bool
}

// Top shows the fleet on a terminal until the key to quit or the end of ctx. While the
// coordinator cannot be reached, the screen says so and keeps what it had.
func (c Client) Top(ctx context.Context, o TopOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &topWatcher{Client: c, screen: screen{w: c.Out, color: o.Color}, now: make(chan struct{}, 1)}
	w.top = format.Top{Address: c.Address, Every: o.Every}
	answers, gone := make(chan *topAnswer), make(chan struct{})
	go func() { // ends with ctx
		defer close(gone)
		w.poll(ctx, o.Every, answers)
	}()
	defer func() { cancel(); <-gone }()
	// A refusal is said on the usual screen, not on one that vanishes.
	var first *topAnswer
	select {
	case first = <-answers:
	case <-ctx.Done():
		return nil
	}
	if err := first.err; err != nil && !away(err) {
		return c.explain(err)
	}
	w.take(first)
	if err := w.screen.open(); err != nil {
		return err
	}
	err := w.show(ctx, o, answers)
	if closeErr := w.screen.close(); err == nil {
		err = closeErr
	}
	return err
}

// away reports whether an error may end by itself.
func away(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Internal, codes.Unknown:
		return true
	}
	return false
}

// TopOnce prints the screen once, after two questions a second apart.
func (c Client) TopOnce(ctx context.Context, every time.Duration) error {
	w := &topWatcher{Client: c}
	w.top = format.Top{Address: c.Address, Every: every}
	for i := range 2 {
		if i > 0 && !sleep(ctx, min(every, time.Second)) {
			return Interrupt("interrupted")
		}
		answer := w.ask(ctx, i == 0)
		if answer.err != nil {
			return c.explain(answer.err)
		}
		w.take(answer)
	}
	w.top.Now = time.Now()
	for _, line := range w.top.Lines(c.Width) {
		if _, err := fmt.Fprintln(c.Out, line.Text); err != nil {
			return err
		}
	}
	return nil
}

// topWatcher is a screen in use.
type topWatcher struct {
	Client
	screen screen
	top    format.Top
	// scrolled is how many lines below the head are above the screen.
	scrolled int
	// now asks at once.
	now chan struct{}
}

// topAnswer is what one round of questions brought.
type topAnswer struct {
	at      time.Time
	fleet   *monitorv1.Fleet
	err     error
	outages format.Some[*monitorv1.Outage]
	// waiting and dead are nil when they were not asked for.
	waiting, dead *format.Some[*monitorv1.Notification]
}

// poll asks again and again.
func (w *topWatcher) poll(ctx context.Context, every time.Duration, answers chan<- *topAnswer) {
	var slow time.Time
	for {
		begun := time.Now()
		answer := w.ask(ctx, begun.Sub(slow) >= topSlow)
		if answer.waiting != nil {
			slow = begun
		}
		select {
		case answers <- answer:
		case <-ctx.Done():
			return
		}
		timer := time.NewTimer(every - time.Since(begun))
		select {
		case <-timer.C:
		case <-w.now:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// ask makes one round of questions. What is refused leaves the others.
func (w *topWatcher) ask(ctx context.Context, notifications bool) *topAnswer {
	fleet, err := once(ctx, topTimeout, &monitorv1.GetFleetRequest{}, monitorv1.NewFleetServiceClient(w.Conn).GetFleet)
	a := &topAnswer{at: time.Now(), fleet: fleet.GetFleet(), err: err}
	if err != nil {
		return a
	}
	open, err := once(ctx, topTimeout, &monitorv1.ListOutagesRequest{PageSize: topOutages, Open: true}, monitorv1.NewOutageServiceClient(w.Conn).ListOutages)
	a.outages = format.Some[*monitorv1.Outage]{All: open.GetOutages(), More: open.GetNextPageToken() != "", Trouble: w.trouble(err)}
	if notifications {
		a.waiting = w.notifications(ctx, monitorv1.NotificationState_NOTIFICATION_STATE_WAITING, monitorv1.NotificationState_NOTIFICATION_STATE_BEHIND)
		a.dead = w.notifications(ctx, monitorv1.NotificationState_NOTIFICATION_STATE_DEAD)
	}
	return a
}

func (w *topWatcher) notifications(ctx context.Context, states ...monitorv1.NotificationState) *format.Some[*monitorv1.Notification] {
	resp, err := once(ctx, topTimeout, &monitorv1.ListNotificationsRequest{PageSize: topNotifications, States: states},
		monitorv1.NewNotificationServiceClient(w.Conn).ListNotifications)
	return &format.Some[*monitorv1.Notification]{All: resp.GetNotifications(), More: resp.GetNextPageToken() != "", Trouble: w.trouble(err)}
}

// trouble returns an error in words, nothing when there is none.
func (w *topWatcher) trouble(err error) string {
	if err == nil {
		return ""
	}
	return w.explain(err).Error()
}

// take keeps an answer.
func (w *topWatcher) take(a *topAnswer) {
	t := &w.top
	if t.Trouble = w.trouble(a.err); a.err != nil {
		t.Rate = nil
		return
	}
	t.Rate = rateOf(t.Fleet, a.fleet, a.at.Sub(t.Came))
	t.Fleet, t.Came, t.Outages = a.fleet, a.at, a.outages
	if a.waiting != nil {
		t.Waiting, t.Dead = *a.waiting, *a.dead
	}
}

// rateOf compares two answers. Processes that are in one of them only do not count; nil means
// that nothing can be compared.
func rateOf(before, now *monitorv1.Fleet, took time.Duration) *format.Rate {
	if before == nil || took <= 0 {
		return nil
	}
	old := map[string]*monitorv1.CoordinatorStatus{}
	for _, c := range format.Coordinators(before) {
		old[c.GetInstanceId()] = c
	}
	var checks, failures uint64
	known := false
	for _, c := range format.Coordinators(now) {
		if was := old[c.GetInstanceId()]; was != nil && c.GetChecks() >= was.GetChecks() && c.GetFailures() >= was.GetFailures() {
			checks, failures, known = checks+c.GetChecks()-was.GetChecks(), failures+c.GetFailures()-was.GetFailures(), true
		}
	}
	if !known {
		return nil
	}
	return &format.Rate{Checks: float64(checks) / took.Seconds(), Failures: float64(failures) / took.Seconds()}
}

// show draws until the end.
func (w *topWatcher) show(ctx context.Context, o TopOptions, answers <-chan *topAnswer) error {
	look := time.NewTicker(topLook)
	defer look.Stop()
	drawn := time.Time{}
	for {
		columns, rows := o.Size()
		if w.screen.resize(columns, rows) || time.Since(drawn) >= time.Second {
			drawn = time.Now()
			if err := w.draw(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		case a := <-answers:
			w.take(a)
			drawn = time.Time{}
		case key, ok := <-o.Keys:
			if !ok || key == KeyQuit {
				return nil
			}
			w.press(key)
			drawn = time.Time{}
		}
	}
}

// press scrolls; draw keeps it within what there is.
func (w *topWatcher) press(key Key) {
	page := max(1, w.screen.rows-format.TopHead-2)
	switch key {
	case KeyUp:
		w.scrolled--
	case KeyDown:
		w.scrolled++
	case KeyPageUp:
		w.scrolled -= page
	case KeyPageDown:
		w.scrolled += page
	case KeyHome:
		w.scrolled = 0
	case KeyEnd:
		w.scrolled = 1 << 20
	case KeyNow:
		select {
		case w.now <- struct{}{}:
		default: // it is asked already
		}
	}
}

// draw draws the head, what fits of the rest, and the line about keys.
func (w *topWatcher) draw() error {
	w.top.Now = time.Now()
	lines := w.top.Lines(w.screen.columns)
	head := lines[:min(len(lines), format.TopHead)]
	rest := lines[len(head):]
	room := max(0, w.screen.rows-len(head)-1)
	w.scrolled = max(0, min(w.scrolled, len(rest)-room))
	end := min(len(rest), w.scrolled+room)
	all := append(append([]format.StyledLine{}, head...), rest[w.scrolled:end]...)
	all = all[:min(len(all), max(0, w.screen.rows-1))]
	for len(all) < w.screen.rows-1 {
		all = append(all, format.StyledLine{})
	}
	keys := "q ends  up, down, page scroll  space asks now"
	if hidden := len(rest) - room; hidden > 0 {
		keys += fmt.Sprintf("  %d lines above, %d below", w.scrolled, len(rest)-end)
	}
	return w.screen.draw(append(all, format.StyledLine{Text: format.Cut(keys, w.screen.columns), Style: format.Heading}))
}
