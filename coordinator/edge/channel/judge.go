package channel

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel/post"
)

// maxRetryAfter bounds what an endpoint may ask for.
const maxRetryAfter = time.Hour

// Judge returns what a reply over HTTP means where nothing but the status counts: any 2xx is
// success, whatever the body. secrets do not appear in the text.
func Judge(r post.Reply, secrets ...string) Answer {
	a := Answer{HTTPStatus: r.Status, Verdict: Failed}
	if r.Status == 0 {
		a.Text = Text(r.Err.Error(), secrets...)
		return a
	}
	a.Text = Text(words(r), secrets...)
	a.Verdict = verdictOf(r.Status)
	if a.Verdict == Failed {
		a.RetryAfter = retryAfter(r.Header.Get("Retry-After"), time.Now())
	}
	return a
}

// words are the answer for people.
func words(r post.Reply) string {
	text := "HTTP " + strconv.Itoa(r.Status)
	if r.Status >= http.StatusMultipleChoices && r.Status < http.StatusBadRequest {
		text += ", a redirect, which is not followed"
	}
	if r.Broken != nil {
		text += ", " + r.Broken.Error()
	}
	if body := strings.TrimSpace(string(r.Body)); body != "" {
		text += ": " + body // whole: Text must see a secret to its end
	}
	return text
}

// verdictOf says what a status means.
func verdictOf(status int) Verdict {
	switch {
	case status >= 200 && status < 300:
		return Accepted
	case status < 400 || status >= 500:
		return Failed
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusGone:
		return Refused
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return Failed
	}
	return Hopeless
}

// retryAfter reads the header Retry-After: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	d := time.Duration(0)
	if seconds, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
