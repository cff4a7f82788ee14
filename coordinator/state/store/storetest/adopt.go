package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

func adoptsOutbox(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	for i := range 3 {
		site := create(t, s, aSite(url(i)))
		changes := wholeOutage(site, fmt.Sprint(i, "-"))[:3]
		for _, c := range changes {
			get[record.Committed](t)(Commit(t.Context(), s, fence, c))
		}
		for _, c := range changes {
			leaveInOutbox(t, db, c)
		}
	}
	db.Exec(t, "UPDATE jetmon_outbox SET attempts = 3, next_ms = ?, last_error = 'HTTP status 503' WHERE change_key = '0-1'", after(48*time.Hour).UnixMilli())
	for _, want := range []int{4, 4, 1, 0} {
		if n := get[int](t)(s.AdoptOutbox(t.Context(), fence, 4)); n != want {
			t.Errorf("%d adopted, want %d", n, want)
		}
	}
	wantSums(t, db, s)
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_outbox"); n != 0 {
		t.Errorf("%d are left", n)
	}
	now := after(24 * time.Hour)
	if got := accept(t, s, subscription.WordPressCom, now); !strings.HasSuffix(got, "1-3 2-3") && !strings.HasSuffix(got, "2-3 1-3") {
		t.Errorf("told %q", got)
	}
	late := due(t, s, after(48*time.Hour), 10)
	if len(late) != 1 || late[0].Attempts != 3 || late[0].Newest.Text != "HTTP status 503" || late[0].Change == nil {
		t.Fatalf("what was postponed is %+v", late)
	}
	if got := accept(t, s, subscription.WordPressCom, after(48*time.Hour)); got != "0-1 0-2 0-3" {
		t.Errorf("then told %q", got)
	}
}
