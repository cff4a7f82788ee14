package v1stats

// Name is a metric of v1.
type Name struct {
	// Name is without the prefix; CLASS, CODE and N stand for parts that vary.
	Name string
	// Here is what is sent under the name; Instead, for a metric that is not sent, what to
	// look at instead.
	Here, Instead string
}

// Names lists the metrics of v1, in the order of its code. Each was a counter or, where it
// says so, a timing. Sizes were sent as counters in v1, and are here.
func Names() []Name {
	return []Name{
		{"config_reload.count", "reloads of the configuration", ""},
		{"worker.spawn.new.count", "checkers that joined", ""},
		{"worker.spawn.missing.count", "", "ALARM_KIND_NO_CHECKERS: a coordinator starts no checkers"},
		{"worker.delete.count", "checkers that left", ""},
		{"worker.die.shutdown.count", "", "worker.delete.count; the log says why a checker left"},
		{"worker.die.evaporate.count", "", "checkers are not recycled"},
		{"worker.die.memlimit.count", "", "checkers are not recycled"},
		{"worker.die.checklimit.count", "", "checkers are not recycled"},
		{"worker.die.code_130.count", "", "worker.delete.count"},
		{"worker.die.code_other.count", "", "worker.delete.count"},
		{"queue.items_left_in_queue_when_fetching_new.count", "", "stats.sites.queue.count: there are no batches"},
		{"round.sites.count", "sites that are watched", ""},
		{"round.sps.count", "checks a second", ""},
		{"worker.queue.active", "checks that checkers have", ""},
		{"worker.queue.queue_size", "checks that wait for a checker", ""},
		{"stats.sites.sps.count", "checks a second", ""},
		{"stats.sites.error.count", "results with status 0", ""},
		{"stats.sites.offline.count", "results with status 2", ""},
		{"stats.sites.success.count", "results with status 1", ""},
		{"stats.sites.total.count", "results", ""},
		{"stats.sites.queue.count", "checks that wait for a checker", ""},
		{"stats.workers.free.count", "checkers without a check", ""},
		{"stats.workers.working.count", "checkers with checks", ""},
		{"stats.workers.halting.count", "quarantined checkers: their failures count as unknown", ""},
		{"worker.check.CLASS.code.CODE.count", "results by class (up, down, still_down, unknown) and v1's code", ""},
		{"worker.check.CLASS.error_code.N.count", "results by class and v1's error code, if there is one", ""},
		{"worker.check.CLASS.rtt.avg", "timing: mean time of a check", ""},
		{"worker.check.CLASS.rtt.max", "timing: longest", ""},
		{"worker.check.CLASS.rtt.min", "timing: shortest", ""},
		{"db.get_next_batch", "", "no batches are fetched: jetmon_uncommitted_changes, ALARM_KIND_STORE"},
		{"round.done_sending_work.time", "", "there are no rounds: jetmon_interval_stretch, jetmon_coverage"},
		{"round.complete.time", "", "there are no rounds: jetmon_interval_stretch, jetmon_coverage"},
		{"round.next.time", "", "there are no rounds: jetmon_lateness_p99_seconds"},
		{"round.time", "", "there are no rounds: jetmon_interval_stretch"},
		{"stats.parent.memory", "timing: resident bytes, with --statsd-memory", ""},
		{"stats.workers.memory", "", "process_resident_memory_bytes of each checker"},
	}
}
