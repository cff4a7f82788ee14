package sqlstore

import (
	"cmp"
	"slices"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

// A delivery is written, and its state changes, in a transaction that has proved the fence of
// its shard or has its lock. So one such transaction sees what those before it did: a new row
// is the first of its lane if the lane has none, and the next becomes the first in the
// transaction in which the first ends.
//
// A site's bucket may change to another shard while deliveries wait. Then a lane has rows of two
// shards, and the row lock of its first one orders what changes the lane: who adds a row behind a
// first of another shard changes that one too, and who ends it looks for the next only
// afterwards, so that it sees the new row.

// letter is a delivery to write.
type letter struct {
	to         int64
	delay      int64
	event      *event.Event
	eventID    int64
	transition int64
	state      delivery.State
	// old is the row of an older version that it was, nil when it is new.
	old *outboxRow
}

// lane is a lane of a subscription.
type lane struct{ subscription, id int64 }

// laneOf returns the lane of an event: its site, or the negative of its incident.
func laneOf(e *event.Event) int64 {
	switch {
	case e.Site != nil:
		return int64(e.Site.ID)
	case e.Incident != nil:
		return -e.Incident.ID
	}
	return 0
}

func (l *letter) lane() lane { return lane{l.to, laneOf(l.event)} }

// deliver writes the deliveries of events that a transaction publishes. transitions has the
// changes of status that they are of, if they are any.
func (t txn) deliver(f shard.Fence, events []event.Event, ids, transitions []int64) error {
	if len(events) == 0 {
		return nil
	}
	letters, err := t.letters(events, ids, transitions)
	if err != nil {
		return err
	}
	if err := t.endAlive(events, letters); err != nil || len(letters) == 0 {
		return err
	}
	if err := t.queue(f, letters); err != nil {
		return err
	}
	return t.writeLetters(f, letters)
}

// letters returns who is to be told of what.
func (t txn) letters(events []event.Event, ids, transitions []int64) ([]*letter, error) {
	told, err := t.told()
	if err != nil {
		return nil, err
	}
	var letters []*letter
	for i := range events {
		e := &events[i]
		if e.Muted {
			continue
		}
		l := letter{event: e, eventID: ids[i]}
		if i < len(transitions) {
			l.transition = transitions[i]
		}
		if l.transition != 0 {
			wpcom := l
			wpcom.to = subscription.WordPressCom
			letters = append(letters, &wpcom)
		}
		for _, s := range told {
			if !s.Filter.Admits(e) {
				continue
			}
			one := l
			one.to = s.ID
			if e.Type == event.SiteDown || e.Type == event.SiteUp {
				one.delay = s.Delay.Milliseconds()
			}
			letters = append(letters, &one)
		}
	}
	return letters, nil
}

// first is the first row of a lane.
type first struct {
	id    int64
	shard shard.ID
}

// lanes has the lanes that letters go to: the first row that waits in each.
type lanes struct{ firsts map[lane]first }

// queue finds the place of each letter: first of its lane, behind another one, or of no use
// because it takes back news that were not told.
func (t txn) queue(f shard.Fence, letters []*letter) error {
	known, err := t.lanes(letters)
	if err != nil {
		return err
	}
	if err := t.takeBack(letters, known); err != nil {
		return err
	}
	for _, l := range letters {
		at, waits := known.firsts[l.lane()]
		switch {
		case l.state == delivery.Superseded:
		case !waits:
			l.state = delivery.Waiting
			known.firsts[l.lane()] = first{shard: f.Shard}
		default:
			l.state = delivery.Behind
			if at.shard == f.Shard {
				continue
			}
			if err := t.update(1, "UPDATE jetmon_deliveries SET since_ms = since_ms + 1 WHERE id = ? AND state = ?", at.id, delivery.Waiting); err != nil {
				return err
			}
		}
	}
	return nil
}

// lanesOf returns the ids of the letters' lanes, each once.
func lanesOf(letters []*letter) (ids []any) {
	seen := map[int64]bool{}
	for _, l := range letters {
		if id := laneOf(l.event); !seen[id] {
			seen[id], ids = true, append(ids, id)
		}
	}
	return ids
}

// lanes reads what is in the lanes of letters.
func (t txn) lanes(letters []*letter) (lanes, error) {
	known := lanes{map[lane]first{}}
	ids := lanesOf(letters)
	rows, err := t.tx.QueryContext(t.ctx, `SELECT id, subscription_id, lane, shard FROM jetmon_deliveries
	WHERE state = ? AND lane IN `+marks(len(ids)), append([]any{delivery.Waiting}, ids...)...)
	if err != nil {
		return known, err
	}
	defer rows.Close()
	for rows.Next() {
		var l lane
		var one first
		if err := rows.Scan(&one.id, &l.subscription, &l.id, &one.shard); err != nil {
			return known, err
		}
		known.firsts[l] = one
	}
	return known, rows.Err()
}

// untold is a change of status that a subscription was not told yet.
type untold struct {
	id    int64
	typ   event.Type
	state delivery.State
	shard shard.ID
	tried bool
}

// takeBack finds the recoveries of sites whose failure waits for its delay, and was never
// tried: neither is told.
func (t txn) takeBack(letters []*letter, known lanes) error {
	for _, l := range letters {
		if _, waits := known.firsts[l.lane()]; !waits || l.delay == 0 || l.event.Type != event.SiteUp {
			continue
		}
		all, err := t.untold(l.lane())
		if err != nil {
			return err
		}
		if back := takenBack(all); len(back) > 0 {
			l.state = delivery.Superseded
			if err := t.supersede(l, back, known); err != nil {
				return err
			}
		}
	}
	return nil
}

// supersede ends rows that a letter takes back.
func (t txn) supersede(l *letter, back []untold, known lanes) error {
	sums, headed := tallies{}, false
	var ids []any
	for _, u := range back {
		ids, headed = append(ids, u.id), headed || u.state == delivery.Waiting
		sums.add(l.to, u.shard, -1, 0)
	}
	now := toMillis(l.event.Time.Time)
	if err := t.update(len(back), "UPDATE jetmon_deliveries SET state = ?, next_ms = ?, done_ms = ? WHERE tried_ms = 0 AND state IN (?, ?) AND id IN "+
		marks(len(back)), append([]any{delivery.Superseded, now, now, delivery.Waiting, delivery.Behind}, ids...)...); err != nil {
		return err
	}
	if err := t.tally(sums); err != nil || !headed {
		return err
	}
	delete(known.firsts, l.lane())
	var next int64
	var in shard.ID
	found, err := t.find([]any{&next, &in}, `SELECT id, shard FROM jetmon_deliveries WHERE lane = ? AND state = ? AND subscription_id = ?
	ORDER BY seq, id LIMIT ?`, l.lane().id, delivery.Behind, l.to, 1)
	if err != nil || !found {
		return err
	}
	known.firsts[l.lane()] = first{next, in}
	return t.bringForward([]any{next})
}

// takenBack returns the changes that a recovery takes back: those since the site went down, if
// none was tried.
func takenBack(all []untold) []untold {
	for i, u := range slices.Backward(all) {
		if u.tried || u.typ != event.SiteDown && u.typ != event.SiteConfirmedDown {
			return nil
		}
		if u.typ == event.SiteDown {
			return all[i:]
		}
	}
	return nil
}

// untold reads the changes of status of a lane that are still to be told, in order.
func (t txn) untold(l lane) (all []untold, err error) {
	rows, err := t.tx.QueryContext(t.ctx, `SELECT id, type, state, shard, tried_ms FROM jetmon_deliveries
	WHERE lane = ? AND state IN (?, ?) AND subscription_id = ? AND type IN (?, ?, ?) ORDER BY seq, id`,
		l.id, delivery.Waiting, delivery.Behind, l.subscription, event.SiteDown, event.SiteConfirmedDown, event.SiteUp)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var u untold
		var tried int64
		if err := rows.Scan(&u.id, &u.typ, &u.state, &u.shard, &tried); err != nil {
			return nil, err
		}
		u.tried = tried != 0
		all = append(all, u)
	}
	return all, rows.Err()
}

// bringForward makes rows the first of their lanes.
func (t txn) bringForward(ids []any) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := t.exec("UPDATE jetmon_deliveries SET state = ?, next_ms = "+dueAtFirst+" WHERE state = ? AND id IN "+marks(len(ids)),
		append([]any{delivery.Waiting, event.SiteUp, delivery.Behind}, ids...)...)
	return err
}

// dueAtFirst is when a row that becomes the first of its lane is due; its argument is
// event.SiteUp.
const dueAtFirst = "CASE WHEN type = ? THEN 0 ELSE created_ms + delay_ms END"

// lastOf returns the highest place of a lane's rows that are still to be told: an event without a
// place of its own goes after them.
func (t txn) lastOf(l lane) (seq int64, err error) {
	_, err = t.find([]any{&seq}, `SELECT seq FROM jetmon_deliveries WHERE lane = ? AND state IN (?, ?) AND subscription_id = ?
	ORDER BY seq DESC LIMIT ?`, l.id, delivery.Waiting, delivery.Behind, l.subscription, 1)
	return seq, err
}

const letterInsert = `INSERT INTO jetmon_deliveries
	(subscription_id, shard, lane, seq, event_key, type, event_id, transition_id, state, attempts,
	 next_ms, created_ms, since_ms, delay_ms, tried_ms, done_ms, http_status, answer) VALUES `

// writeLetters writes deliveries whose place is known.
func (t txn) writeLetters(f shard.Fence, letters []*letter) error {
	// All rows are inserted in the order of their index, so that transactions lock alike.
	slices.SortStableFunc(letters, func(a, b *letter) int { return cmp.Compare(a.to, b.to) })
	rows, sums := make([][]any, len(letters)), tallies{}
	for i, l := range letters {
		at := toMillis(l.event.Time.Time)
		next, done, delay := at, int64(0), int64(0)
		switch {
		case l.state == delivery.Superseded:
			done = at
		case l.event.Type == event.SiteUp:
			next = 0
		case l.event.Type == event.SiteDown:
			delay = l.delay
			next += delay
		}
		seq := l.event.Sequence
		if seq == 0 && l.state == delivery.Behind {
			var err error
			if seq, err = t.lastOf(l.lane()); err != nil {
				return err
			}
		}
		var was outboxRow
		if l.old != nil {
			was, next = *l.old, max(next, l.old.next)
		}
		rows[i] = []any{l.to, f.Shard, laneOf(l.event), seq, l.event.ID, l.event.Type, l.eventID, l.transition, l.state, was.attempts,
			next, at, at, delay, was.tried(), done, 0, was.why}
		if l.state != delivery.Superseded {
			sums.add(l.to, f.Shard, 1, 0)
		}
	}
	if err := t.insertRows(letterInsert, rows); err != nil {
		return err
	}
	return t.tally(sums)
}
