package post

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
)

// maxRetryAfter bounds what an endpoint may ask for.
const maxRetryAfter = 24 * time.Hour

// Judge returns what a reply means where nothing but the status counts: any 2xx is success,
// whatever the body. secrets do not appear in the text.
func (r Reply) Judge(secrets ...string) channel.Answer {
	a := channel.Answer{HTTPStatus: r.Status, Verdict: channel.Failed}
	if r.Status == 0 {
		a.Text = channel.Text(r.Err.Error(), secrets...)
		return a
	}
	a.Text = channel.Text(r.words(), secrets...)
	a.Verdict = verdictOf(r.Status)
	if a.Verdict == channel.Failed {
		a.RetryAfter = retryAfter(r.Header.Get("Retry-After"), time.Now())
	}
	return a
}

// words are the answer for people.
func (r Reply) words() string {
	text := "HTTP " + strconv.Itoa(r.Status)
	if r.Status >= 300 && r.Status < 400 {
		text += ", a redirect, which is not followed"
	}
	if body := strings.TrimSpace(string(r.Body)); body != "" {
		text += ": " + body[:min(len(body), 4*channel.MaxTextBytes)]
	}
	if r.Broken != nil {
		text = "HTTP " + strconv.Itoa(r.Status) + " (" + r.Broken.Error() + ")" + strings.TrimPrefix(text, "HTTP "+strconv.Itoa(r.Status))
	}
	return text
}

// verdictOf says what a status means.
func verdictOf(status int) channel.Verdict {
	switch {
	case status >= 200 && status < 300:
		return channel.Accepted
	case status < 400 || status >= 500:
		return channel.Failed
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusGone:
		return channel.Refused
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return channel.Failed
	}
	return channel.Hopeless
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
