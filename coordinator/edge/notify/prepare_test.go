package notify_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/Automattic/jetmon/coordinator/edge/notify"
)

// urls records where requests go.
type urls struct {
	http.RoundTripper
	seen []string
}

func (u *urls) RoundTrip(r *http.Request) (*http.Response, error) {
	u.seen = append(u.seen, r.URL.Host+" "+r.URL.Query().Get("data"))
	return u.RoundTripper.RoundTrip(r)
}

func TestWhereAndWithWhichTokenIsDeliveredChangesWhileItRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, to := newOutbox(), &urls{RoundTripper: &wpcom{}}
		d, stop := deliverer(t, notify.Options{}, box, to)
		defer stop()
		send := func(id int64) {
			box.add(notificationOf(1, id))
			d.Wake()
			synctest.Wait()
		}
		send(1)
		client := &http.Client{Transport: to}
		for _, bad := range []notify.Options{
			{URL: "ftp://other.example/", Token: "new"}, {URL: "https://other.example/", Token: "two words"}, {},
		} {
			if _, err := d.Prepare(bad); err == nil {
				t.Errorf("takes %+v", bad)
			}
		}
		apply, err := d.Prepare(notify.Options{URL: "https://other.example/", Token: "n3w-token", Client: client})
		if err != nil {
			t.Fatal(err)
		}
		send(2)
		apply()
		send(3)
		if !slices.EqualFunc(to.seen, []string{"wpcom.example s3cret-token", "wpcom.example s3cret-token", "other.example n3w-token"}, func(got, want string) bool {
			host, token, _ := strings.Cut(want, " ")
			return strings.HasPrefix(got, host+" ") && strings.Contains(got, token)
		}) {
			t.Errorf("requests %q", to.seen)
		}
	})
}
