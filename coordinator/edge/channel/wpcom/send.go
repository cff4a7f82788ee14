package wpcom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
)

const (
	// maxAnswerBytes bounds an answer.
	maxAnswerBytes = 64 << 10
	// maxReasonBytes bounds the recorded reason of a failed attempt.
	maxReasonBytes = 200

	userAgent = "jetmon/3.0 (Jetpack Site Uptime Monitor by WordPress.com)"
)

// Channel tells WordPress.com as v1 did. New makes one.
type Channel struct {
	wire
	base   *url.URL
	client *http.Client
}

var _ channel.Channel = (*Channel)(nil)

// New makes a channel.
func New(o Options) (*Channel, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	base, err := o.endpoint()
	if err != nil {
		return nil, err
	}
	return &Channel{wire: wire{o.Token, o.VeriflierHosts}, base: base, client: o.client()}, nil
}

// Close implements channel.Channel.
func (c *Channel) Close() { c.client.CloseIdleConnections() }

// Tell implements channel.Channel.
func (c *Channel) Tell(ctx context.Context, d channel.Delivery) channel.Answer {
	if d.Change == nil {
		return channel.Answer{Verdict: channel.Hopeless, Text: "it is no change of status, which is all that v1's form can tell"}
	}
	a, err := c.try(ctx, d)
	if err != nil {
		a.Verdict, a.Text = verdictOf(a.HTTPStatus), c.scrub(err.Error())
	}
	return a
}

// verdictOf returns what a status that is no success means.
func verdictOf(status int) channel.Verdict {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return channel.Refused
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusUnprocessableEntity:
		return channel.Hopeless
	}
	return channel.Failed
}

// try makes one attempt. It succeeds only with HTTP 200 and a JSON object whose success is true.
func (c *Channel) try(ctx context.Context, d channel.Delivery) (a channel.Answer, err error) {
	query, err := c.encode(*d.Change)
	if err != nil {
		return a, err
	}
	req := (&http.Request{
		Method: http.MethodGet,
		URL:    withData(c.base, query),
		Host:   c.base.Host,
		Header: http.Header{
			"User-Agent":      {userAgent},
			"Accept":          {"application/json"},
			"Idempotency-Key": {d.Key},
		},
	}).WithContext(ctx)
	resp, err := c.client.Do(req)
	if err != nil {
		return a, withoutURL(err)
	}
	defer resp.Body.Close()
	a.HTTPStatus = resp.StatusCode
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		a.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
		return a, errors.New("HTTP status " + strconv.Itoa(resp.StatusCode))
	case err != nil:
		return a, fmt.Errorf("read answer: %w", err)
	case len(body) > maxAnswerBytes:
		return a, errors.New("the answer is longer than 64 KiB")
	}
	if err := Judge(body); err != nil {
		return a, err
	}
	a.Verdict, a.Text = channel.Accepted, "success"
	return a, nil
}

// retryAfter reads how long to wait: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// Judge reads v1's answer {success: bool, data?: string}. Names are compared
// exactly, and nothing but the JSON value true is success: then it returns nil.
func Judge(body []byte) error {
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(body, &answer); err != nil {
		return errors.New("the answer is not a JSON object")
	}
	if string(answer["success"]) == "true" {
		return nil
	}
	var data string
	if err := json.Unmarshal(answer["data"], &data); err == nil && data != "" {
		return errors.New("the answer says no success: " + data)
	}
	return errors.New("the answer says no success")
}

// withoutURL removes the request's URL, and with it the token, from an error.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// scrub returns a short text without control characters and without the token, which the
// other side may have sent back.
func (c *Channel) scrub(text string) string {
	if c.token != "" {
		quoted := strconv.Quote(c.token)
		for _, t := range []string{c.token, url.QueryEscape(c.token), url.PathEscape(c.token), quoted[1 : len(quoted)-1]} {
			text = strings.ReplaceAll(text, t, "[token]")
		}
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > maxReasonBytes {
		// The cut may go through a rune.
		text = strings.ToValidUTF8(text[:maxReasonBytes-len("...")], "") + "..."
	}
	return text
}
