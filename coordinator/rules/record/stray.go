package record

// Strays are active rows of the legacy table whose bucket belongs to no shard, so that nobody
// can watch their sites.
type Strays struct {
	Rows int
	// First and Last are the lowest and the highest of their buckets.
	First, Last int64
}
