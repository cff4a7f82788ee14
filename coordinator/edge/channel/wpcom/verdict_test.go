package wpcom

import (
	"net/http"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
)

func TestWhatAStatusMeans(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]channel.Answer{
		400: {Verdict: channel.Hopeless}, 413: {Verdict: channel.Hopeless}, 414: {Verdict: channel.Hopeless}, 422: {Verdict: channel.Hopeless},
		401: {Verdict: channel.Refused}, 403: {Verdict: channel.Refused},
		404: {Verdict: channel.Failed}, 302: {Verdict: channel.Failed}, 500: {Verdict: channel.Failed},
		429: {Verdict: channel.Failed, RetryAfter: 17 * time.Second}, 503: {Verdict: channel.Failed, RetryAfter: 17 * time.Second},
	} {
		c := senderTo(t, Options{URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if want.RetryAfter != 0 {
				w.Header().Set("Retry-After", "17")
			}
			w.WriteHeader(status)
			w.Write([]byte(`{"success":true}`))
		})})
		got := c.Tell(t.Context(), notification())
		if got.Verdict != want.Verdict || got.RetryAfter != want.RetryAfter || got.HTTPStatus != status {
			t.Errorf("%d is %+v, want %+v", status, got, want)
		}
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "-1": 0, "soon": 0, "99999999999999999999": 0,
		"Wed, 13 May 2026 12:01:00 GMT": time.Minute, "Wed, 13 May 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

func TestWhatIsNoChangeOfStatusCannotBeTold(t *testing.T) {
	t.Parallel()
	c := senderTo(t, Options{URL: "http://127.0.0.1:1/"})
	if a := c.Tell(t.Context(), channel.Delivery{Key: "k"}); a.Verdict != channel.Hopeless {
		t.Errorf("it is %+v", a)
	}
}
