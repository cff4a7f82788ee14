package sqlstore

import (
	"encoding/json"

	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// Evidence is kept as JSON of the store's own structs. Their field names are thereby a
// format on disk (a test pins it): fields may be added, never renamed. Reading ignores
// what it does not know and leaves zero what is not there.

// ballotEvidence is what a ballot keeps beside its columns.
type ballotEvidence struct {
	Votes  []store.Vote       `json:",omitempty"`
	Checks []store.LocalCheck `json:",omitempty"`
}

// encoded is a change as text: its ballot's evidence, and the rest of it.
type encoded struct{ ballot, body string }

func encodeChange(c store.Change) (e encoded, err error) {
	if c.Ballot != nil {
		if e.ballot, err = encodeBallot(*c.Ballot); err != nil {
			return e, err
		}
	}
	// The ballot has a row of its own, and the outage has what matters of the cause.
	c.Ballot, c.Cause = nil, check.Observation{}
	e.body, err = encode(c)
	return e, err
}

func encodeBallot(b store.Ballot) (string, error) {
	return encode(ballotEvidence{Votes: b.Votes, Checks: b.Checks})
}

func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fault.New(fault.Internal, "write evidence as JSON: %w", err)
	}
	return string(b), nil
}

func decode[T any](text string) (v T, err error) {
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return v, fault.New(fault.Internal, "read evidence as JSON: %w", err)
	}
	return v, nil
}
