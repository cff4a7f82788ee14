package advisory_test

import (
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/advisory"
	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/internal/check"
)

// hour has so many checks that took a time, and as many failures.
func hour(n uint64, took time.Duration) *history.Tally {
	t := &history.Tally{history.Failed: n, history.None: 3}
	t[history.Took(took)] = n
	return t
}

func TestThePaceOfAnHour(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	mixed := hour(5, 400*ms)
	mixed[history.Took(3*time.Second)] = 6
	for name, tt := range map[string]struct {
		hour *history.Tally
		week history.Code
		want advisory.Pace
	}{
		"as always":                          {hour(12, 400*ms), history.Took(400 * ms), advisory.PaceUsual},
		"a little less than twice":           {hour(12, 750*ms), history.Took(400 * ms), advisory.PaceUsual},
		"twice and a half":                   {hour(12, 1000*ms), history.Took(400 * ms), advisory.PaceBetween},
		"more than three times":              {hour(12, 1300*ms), history.Took(400 * ms), advisory.PaceSlower},
		"half of them":                       {mixed, history.Took(400 * ms), advisory.PaceSlower},
		"six checks are enough":              {hour(6, 1300*ms), history.Took(400 * ms), advisory.PaceSlower},
		"five are not":                       {hour(5, 1300*ms), history.Took(400 * ms), advisory.PaceUnknown},
		"from 3 ms to 10 ms":                 {hour(12, 10*ms), history.Took(3 * ms), advisory.PaceUsual},
		"from 10 ms to what people notice":   {hour(12, 250*ms), history.Took(10 * ms), advisory.PaceSlower},
		"quicker than ever":                  {hour(12, 300*ms), history.Took(4 * time.Second), advisory.PaceUsual},
		"no week":                            {hour(12, 5*time.Second), history.None, advisory.PaceUnknown},
		"no week, and nobody would notice":   {hour(12, 100*ms), history.None, advisory.PaceUsual},
		"the longest time that there can be": {hour(12, time.Minute), history.Took(time.Minute), advisory.PaceUsual},
	} {
		if got := advisory.PaceOf(tt.hour, tt.week); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

func TestTwoHoursOpenTheRemarkAndTwoCloseIt(t *testing.T) {
	t.Parallel()
	paces := map[rune]advisory.Pace{'?': advisory.PaceUnknown, 'u': advisory.PaceUsual, 'b': advisory.PaceBetween, 's': advisory.PaceSlower}
	for hours, want := range map[string]string{
		"us":         "..",
		"ss":         ".+",
		"s?s":        "..+",
		"sbs":        "...",
		"susu":       "....",
		"sssuu":      ".+..-",
		"ssubuu":     ".+...-",
		"ssusuu":     ".+...-",
		"ssbbbb":     ".+....",
		"ssu??u":     ".+...-",
		"ssuususs":   ".+.-...+",
		"????":       "....",
		"ssuuuuuuuu": ".+.-......",
	} {
		var s advisory.State
		var got strings.Builder
		for _, h := range hours {
			// Checks see nothing of it, whatever they say, and do not touch it.
			for _, o := range []check.Observation{saw(), saw(check.AdvisorySlowerThanUsual), saw(), saw()} {
				if opened, closed := s.Note(&o); len(opened)+len(closed) > 0 {
					t.Errorf("%s: a check opened %v and closed %v", hours, opened, closed)
				}
			}
			switch opened, closed := s.NotePace(paces[h]); {
			case opened:
				got.WriteByte('+')
			case closed:
				got.WriteByte('-')
			default:
				got.WriteByte('.')
			}
		}
		if got.String() != want {
			t.Errorf("%s: %s, want %s", hours, got.String(), want)
		}
		if isOpen := len(s.Open()) == 1; isOpen != (strings.LastIndexByte(want, '+') > strings.LastIndexByte(want, '-')) {
			t.Errorf("%s: open are %v", hours, s.Open())
		}
	}
}
