package format

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// NotificationTitles are the titles of NotificationCells.
func NotificationTitles() []string {
	return []string{"ID", "SUBSCRIPTION", "SITE", "WHAT", "STATE", "MADE", "ATTEMPTS", "ANSWER"}
}

// NotificationCells returns the row of a notification.
func NotificationCells(n *monitorv1.Notification) []string {
	site := "-"
	if n.GetSiteId() != 0 {
		site = strconv.FormatInt(n.GetSiteId(), 10)
	}
	return []string{
		strconv.FormatInt(n.GetNotificationId(), 10), listener(n), site, typeWords([]monitorv1.EventType{n.GetEventType()})[0],
		notificationState(n), moment(n.GetCreateTime()), strconv.Itoa(int(n.GetAttemptCount())), n.GetLastAttempt().GetText(),
	}
}

// listener names the subscription of a notification.
func listener(n *monitorv1.Notification) string {
	if n.GetSubscriptionId() == 0 {
		return "WordPress.com"
	}
	return strconv.FormatInt(n.GetSubscriptionId(), 10)
}

func notificationState(n *monitorv1.Notification) string {
	return word(n.GetState(), "NOTIFICATION_STATE_")
}

// Notification writes a notification with its attempts.
func Notification(w io.Writer, n *monitorv1.Notification, attempts []*monitorv1.NotificationAttempt) error {
	return write(w, func(p *page) {
		p.line("notification\t%d", n.GetNotificationId())
		p.line("subscription\t%s", listener(n))
		p.line("event\t%s", n.GetEventId())
		p.line("what\t%s", typeWords([]monitorv1.EventType{n.GetEventType()})[0])
		if n.GetSiteId() != 0 {
			p.line("site\t%d", n.GetSiteId())
		}
		p.line("state\t%s", notificationState(n))
		p.line("made\t%s", moment(n.GetCreateTime()))
		if n.GetNextAttemptTime() != nil {
			p.line("next attempt\t%s", moment(n.GetNextAttemptTime()))
		}
		if n.GetEndTime() != nil {
			p.line("ended\t%s", moment(n.GetEndTime()))
		}
		p.line("attempts\t%d", n.GetAttemptCount())
		if len(attempts) > 0 {
			p.line("")
			p.line("ATTEMPT\tAT\tTOOK\tANSWER")
		}
		for _, a := range attempts {
			p.line("%d\t%s\t%s\t%s", a.GetNumber(), moment(a.GetStartTime()), a.GetDuration().AsDuration().String(), answer(a))
		}
	})
}

// answer is what came of an attempt, in one line.
func answer(a *monitorv1.NotificationAttempt) string {
	text := strings.TrimSpace(a.GetText())
	if a.GetAccepted() {
		return strings.TrimSuffix("accepted: "+text, ": ")
	}
	return text
}

// Replayed writes how many notifications are told again.
func Replayed(w io.Writer, n int64) error {
	return write(w, func(p *page) { p.line("%s told again", fmt.Sprintf("%d notifications are", n)) })
}
