package schedule

// These bounds are for the tests.
const (
	MaxStep     = maxStep
	MinInterval = minInterval
)
