package jetpack_test

import (
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
)

func TestASiteThatIsNotConnectedOrHasNoJetpackIsTold(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		site  fakejetpack.Options
		cause string
	}{
		"not connected": {fakejetpack.Options{}, "not_connected"},
		"no Jetpack":    {fakejetpack.Options{NoJetpack: true}, "jetpack_absent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := diagnose(t, newWorld(t, fakejetpack.New(tt.site)), func(_ *jetpack.Options, target *jetpack.Target) {
				*target = jetpack.Target{URL: target.URL}
			})
			expect(t, r, "jetpack_connected", jetpack.Fail, tt.cause)
			expect(t, r, "signed_by_blog", jetpack.Skipped, "")
			if len(r.Causes) == 0 || r.Causes[0].Name != tt.cause {
				t.Errorf("causes %+v", r.Causes)
			}
		})
	}
}

func TestRefusalsOfSignedCallsAreExplained(t *testing.T) {
	t.Parallel()
	late := func(by time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(by) } }
	for name, tt := range map[string]struct {
		edit  func(*fakejetpack.Options)
		cause string
		says  []string
	}{
		"another blog token":       {func(o *fakejetpack.Options) { o.Tokens.Blog = "otherkey.secret" }, "signature_ignored", nil},
		"another secret":           {func(o *fakejetpack.Options) { o.Tokens.Blog = "blogkey.othersecret" }, "signature_ignored", nil},
		"a port that PHP sees":     {func(o *fakejetpack.Options) { o.ServerPort = 8080 }, "signature_ignored", nil},
		"a port in the Host":       {func(o *fakejetpack.Options) { o.RawHost = true }, "signature_ignored", nil},
		"a clock 20 minutes ahead": {func(o *fakejetpack.Options) { o.Now = late(20 * time.Minute) }, "signature_ignored", nil},
		"a clock 6 minutes behind": {func(o *fakejetpack.Options) { o.Now = late(-6 * time.Minute) }, "signature_ignored", nil},
		"a blog without a token":   {func(o *fakejetpack.Options) { o.Tokens.Blog = "" }, "signature_ignored", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := connected()
			tt.edit(&o)
			r := diagnose(t, newWorld(t, fakejetpack.New(o)), nil)
			expect(t, r, "signed_by_blog", jetpack.Fail, tt.cause)
			f := r.Find("signed_by_blog")
			for _, text := range tt.says {
				if !strings.Contains(f.Means+f.Do, text) {
					t.Errorf("%q is not said: %s %s", text, f.Means, f.Do)
				}
			}
			if strings.HasPrefix(name, "a clock") {
				expect(t, r, "clock", jetpack.Fail, "clock")
			}
		})
	}
	t.Run("a user without a token", func(t *testing.T) {
		t.Parallel()
		o := connected()
		o.Tokens.Users = nil
		r := diagnose(t, newWorld(t, fakejetpack.New(o)), nil)
		expect(t, r, "signed_by_blog", jetpack.Pass, "")
		expect(t, r, "signed_by_user", jetpack.Fail, "signature_ignored")
	})
	t.Run("a clock that is a little wrong", func(t *testing.T) {
		t.Parallel()
		o := connected()
		o.Now = late(2 * time.Minute)
		r := diagnose(t, newWorld(t, fakejetpack.New(o)), nil)
		expect(t, r, "clock", jetpack.Warn, "clock")
		expect(t, r, "signed_by_blog", jetpack.Pass, "")
	})
}
