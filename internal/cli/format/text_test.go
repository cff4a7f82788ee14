package format

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestAMomentSaysItsZoneAndIsReadAgain(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	for zone, want := range map[*time.Location]string{
		time.UTC:                              "2026-05-13 12:00:00Z",
		time.FixedZone("CEST", 2*3600):        "2026-05-13 14:00:00+02:00",
		time.FixedZone("", -(3*3600 + 30*60)): "2026-05-13 08:30:00-03:30",
	} {
		got := momentIn(timestamppb.New(at), zone)
		read, err := ParseMoment(got)
		if got != want || err != nil || !read.Equal(at) {
			t.Errorf("%s, want %s; read again: %v, %v", got, want, read, err)
		}
	}
	if got := moment(nil); got != "-" {
		t.Errorf("no time: %s", got)
	}
}
