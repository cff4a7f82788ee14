package subscription

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
)

// stored is what of a subscription is stored as one text: all that has no column of its own,
// without the secrets. The names in JSON never change.
type stored struct {
	Filter  event.Filter `json:"filter"`
	DelayMs int64        `json:"delay_ms,omitempty"`
	Rate    float64      `json:"rate,omitempty"`
	Burst   int          `json:"burst,omitempty"`
	Endpoint
}

// Stored returns the texts in which a subscription is stored: its body, and its secrets.
func (s *Subscription) Stored() (body, secrets string, err error) {
	b, err := json.Marshal(stored{s.Filter, s.Delay.Milliseconds(), s.Rate, s.Burst, s.Endpoint})
	if err != nil {
		return "", "", fmt.Errorf("encode subscription %d: %w", s.ID, err)
	}
	k, err := json.Marshal(s.Secrets)
	if err != nil {
		return "", "", fmt.Errorf("encode the secrets of subscription %d: %w", s.ID, err)
	}
	return string(b), string(k), nil
}

// Restore sets what Stored returned.
func (s *Subscription) Restore(body, secrets string) error {
	var b stored
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		return fmt.Errorf("decode subscription %d: %w", s.ID, err)
	}
	s.Filter, s.Delay = b.Filter, time.Duration(b.DelayMs)*time.Millisecond
	s.Rate, s.Burst, s.Endpoint, s.Secrets = b.Rate, b.Burst, b.Endpoint, Secrets{}
	if err := json.Unmarshal([]byte(secrets), &s.Secrets); err != nil {
		// The error of the decoder may quote a secret.
		return fmt.Errorf("the secrets of subscription %d cannot be read", s.ID)
	}
	return nil
}
