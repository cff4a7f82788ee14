package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Received is a notification that the inbox received.
type Received struct {
	// Key is the Idempotency-Key, or "". Each request without one counts as a separate
	// notification.
	Key          string    `json:"key"`
	ReceivedTime time.Time `json:"received_time"`
	// Repeats counts the further requests under the same key.
	Repeats      int          `json:"repeats"`
	Notification Notification `json:"notice"`
}

// Notification is v1's payload without the token. It keeps times as text.
type Notification struct {
	BlogID     int64  `json:"blog_id"`
	MonitorURL string `json:"monitor_url"`
	// StatusID is 0 down, 1 running or 2 confirmed down.
	StatusID         int     `json:"status_id"`
	LastCheck        *string `json:"last_check"`
	LastStatusChange *string `json:"last_status_change"`
	Checks           []Check `json:"checks"`
}

// Check is one check in a notification.
type Check struct {
	// Type is 1 for one of Jetmon's own checks, 2 for a veriflier's.
	Type   int    `json:"type"`
	Host   string `json:"host"`
	Status int    `json:"status"`
	// RTT is in milliseconds.
	RTT       int64 `json:"rtt"`
	Code      int   `json:"code"`
	ErrorCode *int  `json:"error_code,omitempty"`
}

// parse parses a data parameter. It is strict, so that a change of the format fails here
// and not at WordPress.com.
func parse(data string) (Notification, error) {
	var in struct {
		Notification
		Token *string `json:"token"`
	}
	d := json.NewDecoder(bytes.NewReader([]byte(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return Notification{}, fmt.Errorf("data is not a notification: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Notification{}, errors.New("data has more than one notification")
	}
	n := in.Notification
	switch {
	case in.Token == nil:
		return Notification{}, errors.New("token is missing")
	case n.MonitorURL == "":
		return Notification{}, errors.New("monitor_url is missing")
	case n.StatusID < 0 || n.StatusID > 2:
		return Notification{}, fmt.Errorf("status_id is %d, must be 0, 1 or 2", n.StatusID)
	}
	for name, t := range map[string]*string{"last_check": n.LastCheck, "last_status_change": n.LastStatusChange} {
		if t == nil {
			continue
		}
		if _, err := time.Parse("2006-01-02T15:04:05.000Z", *t); err != nil {
			return Notification{}, fmt.Errorf("%s is not a UTC time with milliseconds", name)
		}
	}
	for i, c := range n.Checks {
		if c.Type != 1 && c.Type != 2 {
			return Notification{}, fmt.Errorf("checks[%d].type is %d, must be 1 or 2", i, c.Type)
		}
	}
	return n, nil
}
