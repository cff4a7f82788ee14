package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/state/store"
)

// replica is where reads go that may lag: see store.MayLag. It is used only while it is known to
// be at most so far behind, and the database itself answers otherwise.
//
// Every fenced write counts in the row of its shard, some each second in a fleet of any size. The
// sum of these counts is a clock that the replica has, too: when it shows what the database
// showed at some moment, the replica has all that was committed before the last of these writes.
type replica struct {
	db   *sql.DB
	most time.Duration
	log  *slog.Logger

	mu     sync.Mutex
	usable bool
	next   time.Time // when the lag is to be measured again; zero at the start
	// failures in a row, the last one at failed: of measurements, or of reads from the replica.
	failures int
	failed   time.Time
	// isMeasuring means that a caller measures, without mu. Only that one uses seen.
	isMeasuring bool
	seen        []reading // of the database, oldest first
	// reads ends each read that is under way, by its number; began were so far.
	reads map[uint64]context.CancelFunc
	began uint64
}

// reading is what the clock of the database showed at a moment.
type reading struct {
	at    time.Time
	count int64
}

const (
	// lagFresh is for how long a measurement holds.
	lagFresh = time.Second
	// lagPatience bounds a measurement.
	lagPatience = time.Second
	// MostLag is the default of Options.MostLag.
	MostLag = 5 * time.Second
)

// openReplica makes the pool of the replicas, which connects on first use: they may be away.
func (s *Store) openReplica(ctx context.Context, o Options) error {
	if o.Read == "" {
		return nil
	}
	d, err := ParseDSN(o.Read)
	if err != nil {
		return err
	}
	c, err := d.dialect.connectors(ctx, d, purpose{replicas: true, log: s.log})
	if err != nil {
		return err
	}
	c.announce()
	read := c.read
	if o.wrap != nil {
		read = o.wrap(read)
	}
	s.replica = &replica{db: pool(read, c.readers), most: cmp.Or(o.MostLag, MostLag), log: s.log}
	return nil
}

// shardClock is the query for that clock.
const shardClock = "SELECT COALESCE(SUM(writes + term), 0) FROM jetmon_shards"

// lax is the pool for a read: that of the replica if the read may lag and the replica is not too
// far behind.
func (s *Store) lax(ctx context.Context) *sql.DB {
	// The pool for leases tells the time: other readers may have all of the reader's connections.
	if s.replica == nil || !store.Lags(ctx) || !s.replica.isUsable(ctx, s.leases) {
		return s.reader
	}
	return s.replica.db
}

// onward is the context for a page that comes after outages of a moment. The page before may be the
// database's, and the replica may lack what lies between them, unless that is long past.
func (s *Store) onward(ctx context.Context, after time.Time) context.Context {
	if s.replica != nil && time.Since(after) < s.replica.most+time.Minute {
		return store.Fresh(ctx)
	}
	return ctx
}

// laxly is list for a read that may lag.
func laxly[T any](ctx context.Context, s *Store, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	return laxlyBy(ctx, s, func(ctx context.Context, db *sql.DB) ([]T, error) { return list(ctx, db, scan, query, args...) })
}

// laxlyBy has read read what may lag. When the replica fails, the database is asked.
func laxlyBy[T any](ctx context.Context, s *Store, read func(context.Context, *sql.DB) ([]T, error)) ([]T, error) {
	db := s.lax(ctx)
	if db == s.reader {
		return read(ctx, db)
	}
	reading, end := s.replica.begin(ctx)
	defer end()
	all, err := read(reading, db)
	if err == nil || ctx.Err() != nil {
		return all, err
	}
	all, other := read(ctx, s.reader)
	if other == nil { // so that it was not the question
		s.replica.fail(err)
	}
	return all, other
}

// begin returns a context for a read from the replica, which ends when somebody finds that the replica
// fails, and what ends the read.
func (r *replica) begin(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reads == nil {
		r.reads = map[uint64]context.CancelFunc{}
	}
	r.began++
	number := r.began
	r.reads[number] = cancel
	return ctx, func() {
		cancel()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.reads, number)
	}
}

// isUsable reports whether the replica is at most so far behind, as of the last second. One caller
// measures, and the database answers the others meanwhile: a replica that hangs delays no crowd.
func (r *replica) isUsable(ctx context.Context, of *sql.DB) bool {
	r.mu.Lock()
	if r.isMeasuring || time.Now().Before(r.next) {
		defer r.mu.Unlock()
		return r.usable && !r.isMeasuring
	}
	r.isMeasuring = true
	r.mu.Unlock()
	// A caller who leaves early says nothing about the replica, and the next one would have to wait.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lagPatience)
	defer cancel()
	lag, err := r.measure(ctx, of)
	return r.judge(lag, err)
}

// judge takes the result of a measurement.
func (r *replica) judge(lag time.Duration, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.isMeasuring = false
	usable := err == nil && lag <= r.most
	if usable != r.usable || r.next.IsZero() {
		r.log.Info("reads that may lag change their place", "replica", usable, "lag", lag.Round(time.Millisecond), "error", err)
	}
	r.usable, r.next = usable, time.Now().Add(lagFresh)
	if err != nil && !errors.Is(err, errNoClock) { // one that is behind answers quickly, and catches up
		r.rest()
	}
	return usable
}

// fail has the database answer for a while.
func (r *replica) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.usable { // the first of those who were reading
		r.log.Warn("the replica fails; the database answers instead", "error", err)
		r.usable = false
		r.rest()
	}
}

// rest ends the reads that wait for the replica, and puts the next measurement off, ever longer while
// it fails again and again.
func (r *replica) rest() {
	for _, end := range r.reads {
		end()
	}
	now := time.Now()
	if now.Sub(r.failed) > 2*resting().Most {
		r.failures = 0
	}
	r.failures++
	r.failed, r.next = now, now.Add(resting().Range(r.failures))
}

var (
	// errNoClock means that the replica is behind all that was measured so far.
	errNoClock = errors.New("the replica is further behind than we have looked")
	// errAhead means that it is the database of another fleet, or has what a failover has lost.
	errAhead = errors.New("what is called a replica has changes that the database has not")
)

// measure returns how far the replica is behind, at most.
func (r *replica) measure(ctx context.Context, of *sql.DB) (time.Duration, error) {
	now := time.Now()
	var there, here int64
	if err := of.QueryRowContext(ctx, shardClock).Scan(&there); err != nil {
		return 0, err
	}
	r.note(reading{now, there})
	if err := r.db.QueryRowContext(ctx, shardClock).Scan(&here); err != nil {
		return 0, err
	}
	if here > there { // it may have got what was written in between
		if err := of.QueryRowContext(ctx, shardClock).Scan(&there); err != nil {
			return 0, err
		}
		if here > there {
			return 0, errAhead
		}
	}
	return r.lag(now, here)
}

// note keeps a reading, and forgets those that are older than any that will be looked for.
func (r *replica) note(x reading) {
	r.seen = slices.DeleteFunc(r.seen, func(old reading) bool { return x.at.Sub(old.at) > 2*r.most+time.Minute })
	r.seen = append(r.seen, x)
}

// lag finds when the database showed what the replica shows now.
func (r *replica) lag(now time.Time, here int64) (time.Duration, error) {
	for _, x := range slices.Backward(r.seen) {
		if x.count <= here {
			return now.Sub(x.at), nil
		}
	}
	return 0, errNoClock
}
