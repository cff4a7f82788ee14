package notify

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

	"github.com/Automattic/jetmon/coordinator/rules/record"
)

const (
	// maxAnswerBytes bounds an answer.
	maxAnswerBytes = 64 << 10
	// maxReasonBytes bounds the recorded reason of a failed attempt.
	maxReasonBytes = 200

	userAgent = "jetmon/3.0 (Jetpack Site Uptime Monitor by WordPress.com)"
)

// sender makes one attempt at a time.
type sender struct {
	wire
	base   *url.URL
	client *http.Client
}

// send makes one attempt. It succeeds only with HTTP 200 and a JSON object whose success
// is true; any other result is an *attemptError.
func (s *sender) send(ctx context.Context, n record.Notification) error {
	err := s.try(ctx, n)
	if err == nil {
		return nil
	}
	e := &attemptError{text: s.scrub(err.Error())}
	_, e.refused = errors.AsType[refusal](err)
	return e
}

func (s *sender) try(ctx context.Context, n record.Notification) error {
	query, err := s.encode(n.Change)
	if err != nil {
		return err
	}
	req := (&http.Request{
		Method: http.MethodGet,
		URL:    withData(s.base, query),
		Host:   s.base.Host,
		Header: http.Header{
			"User-Agent":      {userAgent},
			"Accept":          {"application/json"},
			"Idempotency-Key": {n.Key},
		},
	}).WithContext(ctx)
	resp, err := s.client.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return refusal("HTTP status " + strconv.Itoa(resp.StatusCode))
	case err != nil:
		return fmt.Errorf("read answer: %w", err)
	case len(body) > maxAnswerBytes:
		return refusal("the answer is longer than 64 KiB")
	}
	return judge(body)
}

// judge reads v1's answer {success: bool, data?: string}. Names are compared
// exactly, and nothing but the JSON value true is success.
func judge(body []byte) error {
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(body, &answer); err != nil {
		return refusal("the answer is not a JSON object")
	}
	if string(answer["success"]) == "true" {
		return nil
	}
	var data string
	if err := json.Unmarshal(answer["data"], &data); err == nil && data != "" {
		return refusal("the answer says no success: " + data)
	}
	return refusal("the answer says no success")
}

// refusal describes an answer that is not success.
type refusal string

func (r refusal) Error() string { return string(r) }

// attemptError is why an attempt failed. Its text is safe to store and to show; it wraps
// nothing, since the underlying error may hold the URL.
type attemptError struct {
	text string
	// refused is set when there was an answer.
	refused bool
}

func (e *attemptError) Error() string { return e.text }

// withoutURL removes the request's URL, and with it the token, from an error.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// scrub returns a short text without control characters and without the token, which the
// other side may have sent back.
func (s *sender) scrub(text string) string {
	if s.token != "" {
		quoted := strconv.Quote(s.token)
		for _, t := range []string{s.token, url.QueryEscape(s.token), url.PathEscape(s.token), quoted[1 : len(quoted)-1]} {
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
