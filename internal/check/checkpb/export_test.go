package checkpb

// These limits are for the tests.
const (
	MaxHeaders   = maxTargetHeaders
	MaxTexts     = maxTexts
	MaxTextBytes = maxTextBytes
)
