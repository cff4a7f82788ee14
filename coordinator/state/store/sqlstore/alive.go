package sqlstore

import (
	"fmt"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/internal/check"
)

// repeated is a row that is told again and again: its state is delivery.Alive.
type repeated struct {
	id, to int64
	topic  topic
}

// topic is what an alert is about. Of a site there may be several at once, each of which has
// its own end.
type topic struct {
	lane int64
	// advisory is the remark, empty when it is the site's status or the incident.
	advisory string
}

func topicOf(e *event.Event) topic {
	at := topic{lane: laneOf(e)}
	if e.Advisory != nil {
		at.advisory = e.Advisory.Advisory
	}
	return at
}

// endAlive ends the repetition of what events say anew, to those who are told of them, and of what
// they say is over, to everybody: also to those whose filter does not admit the end, and who are
// disabled.
func (t txn) endAlive(events []event.Event, letters []*letter) error {
	lanes, over := []any{}, map[topic]bool{}
	for i := range events {
		e := &events[i]
		switch at := topicOf(e); e.Type {
		case event.SiteUp, event.AdvisoryClosed, event.IncidentResolved:
			over[at] = true
			fallthrough
		default:
			lanes = append(lanes, at.lane)
		}
	}
	all, err := t.repeated(lanes)
	if err != nil || len(all) == 0 {
		return err
	}
	type told struct {
		to    int64
		topic topic
	}
	anew := map[told]bool{}
	for _, l := range letters {
		anew[told{l.to, topicOf(l.event)}] = true
	}
	var ended []any
	for _, r := range all {
		if over[r.topic] || anew[told{r.to, r.topic}] {
			ended = append(ended, r.id)
		}
	}
	return inParts(ended, func(part []any) error { return t.noMore("id IN "+marks(len(part)), part...) })
}

// noMore ends the repetition of rows.
func (t txn) noMore(which string, args ...any) error {
	_, err := t.exec("UPDATE jetmon_deliveries SET state = ?, next_ms = done_ms WHERE state = ? AND "+which,
		append([]any{delivery.Delivered, delivery.Alive}, args...)...)
	return err
}

// noMoreOf ends the repetition of everything about a site that is gone.
func (t txn) noMoreOf(id check.SiteID) error { return t.noMore("lane = ?", id) }

// repeated reads the rows of lanes that are repeated.
func (t txn) repeated(lanes []any) (all []repeated, err error) {
	err = inParts(lanes, func(part []any) error {
		rows, err := t.tx.QueryContext(t.ctx, `SELECT d.id, d.subscription_id, d.lane, d.type, COALESCE(e.body, '')
	FROM jetmon_deliveries d LEFT JOIN jetmon_events e ON e.id = d.event_id
	WHERE d.state = ? AND d.lane IN `+marks(len(part)), append([]any{delivery.Alive}, part...)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r repeated
			var typ event.Type
			var body string
			if err := rows.Scan(&r.id, &r.to, &r.topic.lane, &typ, &body); err != nil {
				return err
			}
			if typ == event.AdvisoryOpened {
				e, err := event.Decode(body)
				if err != nil || e.Advisory == nil {
					return fmt.Errorf("the event of delivery %d is damaged", r.id)
				}
				r.topic.advisory = e.Advisory.Advisory
			}
			all = append(all, r)
		}
		return rows.Err()
	})
	return all, err
}
