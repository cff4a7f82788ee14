package jetpack_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
)

// with are the options of a healthy site, changed.
func with(edit func(*fakejetpack.Options)) fakejetpack.Options {
	o := connected()
	edit(&o)
	return o
}

// seen are the options of a healthy site behind a proxy.
func seen(v fakejetpack.View) fakejetpack.Options {
	return with(func(o *fakejetpack.Options) { o.View = v })
}

func late(by time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(by) }
}

func names(r *jetpack.Report) []string {
	var all []string
	for _, c := range r.Causes {
		all = append(all, c.Name)
	}
	return all
}

func TestEachStateOfAConnectionIsJudged(t *testing.T) {
	t.Parallel()
	plugin := func(p fakejetpack.Plugin) fakejetpack.Options {
		return with(func(o *fakejetpack.Options) { o.Plugin = p })
	}
	closed := func(edit func(*fakejetpack.Options)) fakejetpack.Options {
		return with(func(o *fakejetpack.Options) {
			o.RESTClosed, o.RESTStatus = "rest_not_logged_in", http.StatusUnauthorized
			edit(o)
		})
	}
	siteOnly := func(o *fakejetpack.Options) { o.Tokens.Users = nil }
	nothing := func(o *fakejetpack.Options) { o.Tokens = signature.Keyring{} }
	none, blog, both := 0, 1, 2
	for name, tt := range map[string]struct {
		site    fakejetpack.Options
		tokens  int
		verdict jetpack.Verdict
		cause   string
		says    string // in the evidence
	}{
		"a complete plugin":                      {plugin(fakejetpack.Plugin{Version: "16.1.2"}), both, jetpack.Pass, "", "with an owner"},
		"a site without an owner":                {with(siteOnly), blog, jetpack.Pass, "", "without an owner"},
		"a site without an owner, from outside":  {with(siteOnly), none, jetpack.Pass, "", "without an owner"},
		"a site without an owner, closed":        {closed(siteOnly), blog, jetpack.Skipped, "", "the signed call shows"},
		"a closed site without an owner, unseen": {closed(siteOnly), none, jetpack.Warn, "owner_missing", ""},
		"a closed site with an owner":            {closed(func(*fakejetpack.Options) {}), none, jetpack.Pass, "", "connected"},
		"no plugin":                              {with(func(o *fakejetpack.Options) { o.NoJetpack = true }), none, jetpack.Fail, "jetpack_absent", ""},
		"no plugin, closed":                      {closed(func(o *fakejetpack.Options) { o.NoJetpack = true }), both, jetpack.Fail, "jetpack_absent", ""},
		"not connected":                          {with(nothing), none, jetpack.Fail, "not_connected", "not registered"},
		"a connection that is lost":              {with(nothing), both, jetpack.Fail, "connection_lost", "there is a token"},
		"a connection that is broken":            {with(func(o *fakejetpack.Options) { o.Tokens.Blog = "" }), both, jetpack.Fail, "connection_broken", "an owner"},
		"offline by a constant":                  {plugin(fakejetpack.Plugin{Offline: fakejetpack.OfflineByConstant}), none, jetpack.Fail, "offline_mode", "JETPACK_DEV_DEBUG"},
		"offline by its address":                 {plugin(fakejetpack.Plugin{Offline: fakejetpack.OfflineByURL}), none, jetpack.Fail, "offline_mode", "address"},
		"offline by a filter":                    {plugin(fakejetpack.Plugin{Offline: fakejetpack.OfflineByFilter}), none, jetpack.Fail, "offline_mode", "filter"},
		"offline by another constant":            {plugin(fakejetpack.Plugin{Offline: fakejetpack.OfflineByWPLocal}), none, jetpack.Fail, "offline_mode", "WP_LOCAL_DEV"},
		"in safe mode":                           {plugin(fakejetpack.Plugin{SafeMode: true}), none, jetpack.Warn, "identity_crisis", "isStaging"},
		"a query that is lost":                   {seen(fakejetpack.View{QueryLost: true}), both, jetpack.Fail, "query_lost", ""},
		"methods that are removed":               {plugin(fakejetpack.Plugin{MethodsRemoved: true}), both, jetpack.Fail, "jetpack_methods_removed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := diagnose(t, newWorld(t, fakejetpack.New(tt.site)), func(_ *jetpack.Options, target *jetpack.Target) {
				if tt.tokens < both {
					target.User = signature.Credential{}
				}
				if tt.tokens < blog {
					target.Blog = signature.Credential{}
				}
			})
			expect(t, r, "jetpack_connected", tt.verdict, tt.cause)
			if f := r.Find("jetpack_connected"); !strings.Contains(f.Seen, tt.says) || tt.cause != "" && f.Do+f.Host == "" {
				t.Errorf("%q is not said: %+v", tt.says, f)
			}
			if tt.cause != "" && (len(r.Causes) == 0 || tt.verdict == jetpack.Fail && r.Causes[0].Name != tt.cause) {
				t.Errorf("causes %q:\n%s", names(r), table(r))
			}
			if f := r.Find("signed_by_blog"); f.Verdict == jetpack.Fail && f.Cause != tt.cause || tt.cause == "" && f.Verdict == jetpack.Fail {
				t.Errorf("the signed call has another cause: %+v", f)
			}
		})
	}
}

func TestASignedCallTakesTheDetourWhereItsQueryIsLost(t *testing.T) {
	t.Parallel()
	r := diagnose(t, newWorld(t, fakejetpack.New(seen(fakejetpack.View{QueryLost: true}))), nil)
	expect(t, r, "signed_by_blog", jetpack.Pass, "")
}

// refused is a situation in which signed calls are refused.
type refused struct {
	site   fakejetpack.Options
	causes []string // in the order of the report
	sure   cause.Sure
	says   []string
}

func refusals() map[string]refused {
	certain, likely := cause.Certain, cause.Likely
	of := func(names ...string) []string { return names }
	says := func(texts ...string) []string { return texts }
	lines := func(b []byte) []byte { return append(b, '\n') }
	return map[string]refused{
		"another key":             {with(func(o *fakejetpack.Options) { o.Tokens = keyring("otherkey.secret") }), of("signature_refused"), likely, says("another token")},
		"another secret":          {with(func(o *fakejetpack.Options) { o.Tokens = keyring("blogkey.othersecret") }), of("signature_refused"), likely, says("another token", "nonce")},
		"a port that PHP sees":    {with(func(o *fakejetpack.Options) { o.ServerPort = 8080 }), of("signature_port"), certain, says("port 8080", "JETPACK_SIGNATURE__HTTP_PORT', 8080", "X-Forwarded-Port: 80")},
		"Varnish's port":          {with(func(o *fakejetpack.Options) { o.ServerPort = 6081 }), of("signature_port"), certain, says("port 6081")},
		"a port in the Host":      {with(func(o *fakejetpack.Options) { o.RawHost = true }), of("port_in_host"), certain, says("80 and 443")},
		"https that is forced":    {with(func(o *fakejetpack.Options) { o.View.HTTPS, o.ServerPort = true, 80 }), of("https_forced"), certain, says("believes that it is https")},
		"another name":            {seen(fakejetpack.View{Host: "www.localhost"}), of("host_differs"), certain, says("www.localhost")},
		"a slash too many":        {seen(fakejetpack.View{From: "/", To: "//"}), of("path_slash"), certain, says("//xmlrpc.php")},
		"a parameter":             {seen(fakejetpack.View{Added: "lang=en&x=1"}), of("query_added"), certain, says("lang")},
		"a clock 20 minutes late": {with(func(o *fakejetpack.Options) { o.Now = late(20 * time.Minute) }), of("clock"), certain, says("20m", "ahead", "NTP")},
		"a clock 6 minutes early": {with(func(o *fakejetpack.Options) { o.Now = late(-6 * time.Minute) }), of("clock"), certain, says("6m", "behind")},
		"a clock a day late":      {with(func(o *fakejetpack.Options) { o.Now = late(24 * time.Hour) }), of("clock"), certain, says("24h", "ahead")},
		"a clock behind a proxy": {with(func(o *fakejetpack.Options) { o.Now, o.ProxyDate = late(-58*time.Minute), true }),
			of("clock"), certain, says("behind")},
		"a clock behind a proxy, by little": {with(func(o *fakejetpack.Options) { o.Now, o.ProxyDate = late(12*time.Minute), true }),
			of("clock"), certain, says("ahead")},
		"a difference that was learned": {with(func(o *fakejetpack.Options) { o.Plugin.TimeDiff = 30 * time.Minute }), of("clock_learned"), certain, says("time_diff", "ahead")},
		"a body that is changed":        {seen(fakejetpack.View{Body: lines}), of("body_changed"), likely, says("without a body")},
		"a port and a clock":            {with(func(o *fakejetpack.Options) { o.Now, o.ServerPort = late(20*time.Minute), 8080 }), of("signature_port", "clock"), certain, says("port 8080", "20m")},
		"a name and a clock":            {with(func(o *fakejetpack.Options) { o.Now, o.View.Host = late(-time.Hour), "www.localhost" }), of("host_differs", "clock"), certain, says("www.localhost", "behind")},
		"a name and https": {with(func(o *fakejetpack.Options) {
			o.View, o.ServerPort = fakejetpack.View{Host: "www.localhost", HTTPS: true}, 443
		}), of("https_forced", "host_differs"), certain, says("www.localhost", "https")},
		"https and a hidden clock": {with(func(o *fakejetpack.Options) {
			o.View.HTTPS, o.ServerPort, o.Now, o.ProxyDate = true, 443, late(time.Hour), true
		}), of("https_forced", "clock"), certain, says("ahead", "https")},
		"a token and a name":          {with(func(o *fakejetpack.Options) { o.Tokens, o.View.Host = keyring("blogkey.othersecret"), "www.localhost" }), of("signature_refused"), likely, says("another token")},
		"a parameter and a late port": {with(func(o *fakejetpack.Options) { o.View.Added, o.Now = "lang=en", late(time.Hour) }), of("query_added", "clock"), certain, says("lang", "1h ahead")},
	}
}

// keyring has another blog token, and a user's that nobody has.
func keyring(blog string) signature.Keyring {
	return signature.Keyring{Blog: blog, Users: map[int64]string{3: "userkey.another.3"}}
}

func TestARefusedSignatureIsExplained(t *testing.T) {
	t.Parallel()
	for name, tt := range refusals() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			requests := 0
			site := fakejetpack.New(tt.site)
			w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				requests++
				mu.Unlock()
				site.ServeHTTP(w, r)
			}))
			w.rename("localhost")
			r := diagnose(t, w, nil)
			if !slices.Equal(names(r), tt.causes) {
				t.Errorf("causes %q, want %q:\n%s", names(r), tt.causes, table(r))
				return
			}
			expect(t, r, "signed_by_blog", jetpack.Fail, tt.causes[0])
			expect(t, r, "signed_by_user", jetpack.Fail, tt.causes[0])
			text := ""
			for _, c := range r.Causes {
				text += c.Means + c.Owner + c.Host
				if c.Sure != tt.sure {
					t.Errorf("%s is %s, want %s", c.Name, c.Sure, tt.sure)
				}
			}
			for _, s := range tt.says {
				if !strings.Contains(text, s) {
					t.Errorf("%q is not said: %s", s, text)
				}
			}
			// What is proven serves the later steps: only a token that is not the site's ends them.
			if f := r.Find("sync_health"); (f.Verdict == jetpack.Pass) != (tt.causes[0] != "signature_refused") {
				t.Errorf("the synchronisation: %+v", f)
			}
			mu.Lock()
			defer mu.Unlock()
			if requests > 38 { // two more are for WordPress.com
				t.Errorf("%d requests", requests)
			}
		})
	}
}

func TestOneTokenThatIsAcceptedProvesTheAddress(t *testing.T) {
	t.Parallel()
	stored := credential
	for name, tt := range map[string]struct {
		tokens     signature.Keyring
		others     []signature.Credential
		blog, user string
	}{
		"the user's":              {signature.Keyring{Blog: "blogkey.othersecret", Users: map[int64]string{3: userToken}}, nil, "blog_token_refused", ""},
		"the blog's":              {signature.Keyring{Blog: blogToken, Users: map[int64]string{3: "userkey.other.3"}}, nil, "", "user_token_refused"},
		"the blog's, and no user": {signature.Keyring{Blog: blogToken}, nil, "", "user_token_refused"},
		"a further one of the blog": {signature.Keyring{Blog: "newkey.n3ws3cret", Users: map[int64]string{3: userToken}},
			[]signature.Credential{stored(t, "oldkey.olds3cret"), stored(t, "newkey.n3ws3cret")}, "token_replaced", ""},
		"a further one of the user": {signature.Keyring{Blog: blogToken, Users: map[int64]string{4: "newkey.n3ws3cret.4"}},
			[]signature.Credential{stored(t, "oldkey.olds3cret"), stored(t, "newkey.n3ws3cret.4")}, "", "token_replaced"},
		"a further one of the blog alone": {signature.Keyring{Blog: "newkey.n3ws3cret"}, []signature.Credential{stored(t, "newkey.n3ws3cret")}, "token_replaced", "user_token_refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := with(func(o *fakejetpack.Options) { o.Tokens = tt.tokens })
			r := diagnose(t, newWorld(t, fakejetpack.New(o)), func(_ *jetpack.Options, target *jetpack.Target) { target.Others = tt.others })
			for check, want := range map[string]string{"signed_by_blog": tt.blog, "signed_by_user": tt.user} {
				verdict := jetpack.Fail
				if want == "" {
					verdict = jetpack.Pass
				}
				expect(t, r, check, verdict, want)
			}
			if text := table(r); strings.Contains(text, "s3cret") || strings.Contains(text, "newkey") {
				t.Errorf("a token is shown:\n%s", text)
			}
			if tt.blog == "token_replaced" {
				expect(t, r, "sync_health", jetpack.Pass, "")
			}
		})
	}
}

func TestTheSearchEndsWhenTheSiteBeginsToBlock(t *testing.T) {
	t.Parallel()
	site := fakejetpack.New(with(func(o *fakejetpack.Options) { o.ServerPort = 6081 }))
	var mu sync.Mutex
	signed := 0
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Query().Has("signature") {
			mu.Lock()
			signed++
			stop := signed > 5
			mu.Unlock()
			if stop {
				http.Error(w, "Too many requests", http.StatusTooManyRequests)
				return
			}
		}
		site.ServeHTTP(w, r)
	}))
	r := diagnose(t, w, nil)
	expect(t, r, "signed_by_blog", jetpack.Fail, "signature_refused")
	if f := r.Find("signed_by_blog"); !strings.Contains(f.Means, "rate_limit") {
		t.Errorf("%+v", f)
	}
	mu.Lock()
	defer mu.Unlock()
	if signed != 6 {
		t.Errorf("%d signed calls", signed)
	}
}

func TestTheClockIsJudgedByWhatIsAccepted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ahead   time.Duration // of the Date
		site    time.Duration // of the site itself
		tokens  bool
		verdict jetpack.Verdict
		cause   string
	}{
		"right":                           {0, 0, true, jetpack.Pass, ""},
		"a little wrong":                  {2 * time.Minute, 2 * time.Minute, true, jetpack.Warn, "clock_drifts"},
		"a Date that only a proxy writes": {time.Hour, 0, true, jetpack.Warn, "clock_in_front"},
		"the same without a token":        {time.Hour, 0, false, jetpack.Warn, "clock_by_date"},
		"wrong without a token":           {20 * time.Minute, 20 * time.Minute, false, jetpack.Fail, "clock"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := fakejetpack.New(with(func(o *fakejetpack.Options) { o.Now = late(tt.site) }))
			w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tt.ahead != tt.site {
					w = &proxyDate{w, time.Now().Add(tt.ahead)}
				}
				site.ServeHTTP(w, r)
			}))
			r := diagnose(t, w, func(_ *jetpack.Options, target *jetpack.Target) {
				if !tt.tokens {
					*target = jetpack.Target{URL: target.URL}
				}
			})
			expect(t, r, "clock", tt.verdict, tt.cause)
		})
	}
}

// proxyDate writes its own Date.
type proxyDate struct {
	http.ResponseWriter
	now time.Time
}

func (p *proxyDate) WriteHeader(status int) {
	p.Header().Set("Date", p.now.UTC().Format(http.TimeFormat))
	p.ResponseWriter.WriteHeader(status)
}

func (p *proxyDate) Write(b []byte) (int, error) {
	p.Header().Set("Date", p.now.UTC().Format(http.TimeFormat))
	return p.ResponseWriter.Write(b)
}
