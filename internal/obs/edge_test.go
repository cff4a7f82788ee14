package obs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/internal/obs"
)

func TestOnlyTheEdgesOfTroubleAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		noTime := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		e := obs.Edge{Log: slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{ReplaceAttr: noTime})), What: "reading", Level: slog.LevelWarn}
		for i, err := range []error{nil, context.Canceled, errors.New("away"), errors.New("still away"), context.Canceled, nil, nil} {
			e.Note(err, "attempt", i)
			time.Sleep(time.Second)
		}
		const want = `level=WARN msg="reading failed" attempt=2 error=away
level=INFO msg="reading recovered" after=3s
`
		if got := text.String(); got != want {
			t.Errorf("the log has\n%swant\n%s", got, want)
		}
		if strings.Contains(text.String(), "<nil>") {
			t.Error("a good end is logged with an error")
		}
	})
}
