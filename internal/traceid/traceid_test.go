package traceid_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/Automattic/jetmon/internal/traceid"
)

func TestOneCheckHasOneSpanAndOthersHaveOthers(t *testing.T) {
	t.Parallel()
	traces, spans := map[[16]byte]bool{}, map[[8]byte]bool{}
	for site := range int64(50) {
		for sequence := range uint64(50) {
			for checkout := range uint64(4) {
				c := traceid.OfCheck(site, sequence, checkout)
				if c != traceid.OfCheck(site, sequence, checkout) {
					t.Fatal("the same check has two spans")
				}
				if !c.IsSpan() || traces[c.Trace] || spans[c.Span] {
					t.Fatalf("site %d, sequence %d, checkout %d: %s-%s is there already, or none", site, sequence, checkout, c.TraceID(), c.SpanID())
				}
				traces[c.Trace], spans[c.Span] = true, true
			}
		}
	}
}

func TestOneInNIsOneInN(t *testing.T) {
	t.Parallel()
	const checks = 1_000_000
	for _, n := range []uint32{1, 7, 100, 10_000} {
		kept := 0
		for i := range uint64(checks) {
			if traceid.OfCheck(int64(i%1000), i/1000, 42).OneIn(n) {
				kept++
			}
		}
		// Five standard deviations of a fair draw.
		want := checks / float64(n)
		if off := float64(kept) - want; off*off > 25*want {
			t.Errorf("one in %d of %d checks are %d, want about %.0f", n, checks, kept, want)
		}
	}
	if traceid.OfCheck(1, 1, 1).OneIn(0) {
		t.Error("one in none is kept")
	}
}

func TestACheckOfAStoryIsInItsTraceUnderItsOwnSpan(t *testing.T) {
	t.Parallel()
	own, story := traceid.OfCheck(1, 2, 3), traceid.OfCheck(1, 1, 9).Child("judge")
	if got := own.Within(story); got.Trace != story.Trace || got.Span != own.Span {
		t.Errorf("got %s-%s", got.TraceID(), got.SpanID())
	}
	if own.Within(traceid.Context{}) != own {
		t.Error("without a story it is not in its own trace")
	}
	if a, b := story.Child("a"), story.Child("b"); a.Trace != story.Trace || a.Span == b.Span || a.Span == story.Span || story.Child("a") != a {
		t.Errorf("children are %s and %s of %s", a.SpanID(), b.SpanID(), story.SpanID())
	}
}

func TestAContextSurvivesWireAndText(t *testing.T) {
	t.Parallel()
	type holder struct {
		Trace traceid.Context `json:",omitzero"`
	}
	for _, c := range []traceid.Context{{}, traceid.OfCheck(5, 6, 7), {Trace: [16]byte{1}}} {
		if got := traceid.Read(c.Append(nil)); got != c {
			t.Errorf("on the wire, %v became %v", c, got)
		}
		text, err := json.Marshal(holder{c})
		if err != nil {
			t.Fatal(err)
		}
		var back holder
		if err := json.Unmarshal(text, &back); err != nil || back.Trace != c {
			t.Errorf("as %s, %v became %v, %v", text, c, back.Trace, err)
		}
	}
	if text, _ := json.Marshal(holder{}); string(text) != "{}" {
		t.Errorf("no trace is written as %s", text)
	}
}

func FuzzBytesOfOthersAreAContextOrNone(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(make([]byte, traceid.Size))
	f.Add(traceid.OfCheck(1, 2, 3).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := traceid.Read(b)
		if !c.IsZero() && !bytes.Equal(c.Append(nil), b) {
			t.Errorf("%x is read as %x", b, c.Append(nil))
		}
		if c.IsZero() && c.IsSpan() {
			t.Error("a span of no trace")
		}
		var text traceid.Context
		if err := text.UnmarshalText(b); err == nil {
			if again, _ := text.MarshalText(); len(again) != 0 && !bytes.EqualFold(again, b) {
				t.Errorf("%q is read as %q", b, again)
			}
		}
	})
}
