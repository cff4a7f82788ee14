package sqlstore

import (
	"encoding/json"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// Evidence is stored as JSON of the store's own structs, so their field names are an on-disk
// format (a test pins it): fields may be added, never renamed. Reading ignores unknown fields
// and leaves missing ones zero.

// ballotEvidence is the evidence of a ballot that has no columns of its own.
type ballotEvidence struct {
	Votes  []record.Vote       `json:",omitempty"`
	Checks []record.LocalCheck `json:",omitempty"`
}

// encoded is a change as JSON: the evidence of its ballot, and its body.
type encoded struct{ ballot, body string }

func encodeChange(c record.Change) (e encoded, err error) {
	if c.Ballot != nil {
		if e.ballot, err = encodeBallot(*c.Ballot); err != nil {
			return e, err
		}
	}
	// The ballot has its own row, and the outage has the essentials of the cause.
	c.Ballot, c.Cause = nil, check.Observation{}
	e.body, err = encode(c)
	return e, err
}

func encodeBallot(b record.Ballot) (string, error) {
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

// regionsText writes regions as a column has them.
func regionsText(regions []string) string {
	b, _ := json.Marshal(append([]string{}, regions...)) // strings can be written
	return string(b)
}

// parseRegions reads them again; what cannot be read is not known.
func parseRegions(column string) (regions []string) {
	if json.Unmarshal([]byte(column), &regions) != nil {
		return nil
	}
	return regions
}
