package jetpack_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/probe"
)

// most is how many requests a diagnosis may send.
const most = 40

// counted counts the requests to a handler.
func counted(h http.Handler, n *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		h.ServeHTTP(w, r)
	})
}

func TestADiagnosisSendsAtMostFortyRequests(t *testing.T) {
	t.Parallel()
	sites := map[string]fakejetpack.Options{}
	add := func(name string, edit func(*fakejetpack.Options)) {
		o := connected()
		edit(&o)
		sites[name] = o
	}
	for _, obstacle := range fakejetpack.Obstacles() {
		add(string(obstacle), func(o *fakejetpack.Options) { o.Obstacle = obstacle })
		add(string(obstacle)+" everywhere", func(o *fakejetpack.Options) { o.Obstacle, o.Everywhere = obstacle, true })
	}
	for _, state := range fakejetpack.States() {
		add(string(state), func(o *fakejetpack.Options) { o.State = state })
	}
	add("another token", func(o *fakejetpack.Options) { o.Tokens.Blog = "blogkey.other" })
	add("other tokens", func(o *fakejetpack.Options) { o.Tokens.Blog, o.Tokens.Users = "x.y", nil })
	add("a clock far away", func(o *fakejetpack.Options) { o.Now = func() time.Time { return time.Now().Add(50 * time.Hour) } })
	add("its own directory", func(o *fakejetpack.Options) { o.Dir, o.HomeAbove, o.Tokens.Blog = "/blog", true, "x.y" })
	for name, o := range sites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			w := newWorld(t, counted(fakejetpack.New(o), &n))
			w.api = serve(t, counted(w.com, &n))
			diagnose(t, w, func(jo *jetpack.Options, target *jetpack.Target) {
				patience(o.Obstacle)(jo, target)
				if o.HomeAbove {
					target.URL = w.site + "blog/wp-admin/"
				}
			})
			t.Logf("%d requests", n.Load())
			if n.Load() > most {
				t.Errorf("%d requests", n.Load())
			}
		})
	}
	t.Run("redirects that do not end", func(t *testing.T) {
		t.Parallel()
		var n atomic.Int64
		w := newWorld(t, counted(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, fmt.Sprintf("/%d/%s", n.Load(), strings.Repeat("x", 20)), http.StatusFound)
		}), &n))
		diagnose(t, w, func(_ *jetpack.Options, target *jetpack.Target) { target.URL = w.site + "a/b/c" })
		if n.Load() > most {
			t.Errorf("%d requests", n.Load())
		}
	})
}

// endless writes the same block until the client goes away.
func endless(kind, begin, block string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, err := io.WriteString(w, begin)
		if r.Method == http.MethodHead {
			return
		}
		for part := []byte(strings.Repeat(block, 1+4096/len(block))); err == nil; {
			_, err = w.Write(part)
		}
	}
}

// hostile are sites that mean harm, or behave as if they did.
func hostile(t *testing.T) map[string]http.HandlerFunc {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 1 << 10 {
		if _, err := z.Write(make([]byte, 1<<20)); err != nil { // 1 GB of zeros
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	entities := `<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">`
	for i := range 20 {
		entities += fmt.Sprintf("<!ENTITY a%d %q>", i, strings.Repeat(fmt.Sprintf("&a%d;", max(i-1, 0)), 10))
	}
	entities += "]><methodResponse><params><param><value><string>&a19;</string></value></param></params></methodResponse>"
	deep := "<?xml version=\"1.0\"?><methodResponse><params><param>" + strings.Repeat("<value><array><data>", 10_000)
	page := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, body)
		}
	}
	return map[string]http.HandlerFunc{
		"a page without end":   endless("text/html", "<html>", "<p>again and again</p>"),
		"XML without end":      endless("text/xml", "<?xml version=\"1.0\"?><methodResponse><params><param><value><string>", "xxxxxxxx"),
		"values without end":   endless("text/xml", "<?xml version=\"1.0\"?><methodResponse><params><param><value><array><data>", "<value><int>1</int></value>"),
		"JSON without end":     endless("application/json", `{"namespaces":["`, "aaaaaaaa"),
		"entities in entities": page("text/xml", entities),
		"values in values":     page("text/xml", deep+strings.Repeat("</data></array></value>", 10_000)+"</param></params></methodResponse>"),
		"elements in elements": page("text/html", strings.Repeat("<div>", 50_000)),
		"JSON in JSON":         page("application/json", strings.Repeat(`{"a":`, 50_000)+strings.Repeat("}", 50_000)),
		"a small page that unpacks": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		},
		"a header without end": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 20_000 {
				w.Header().Set(fmt.Sprintf("X-%d", i), "some text that stands in the header")
			}
		},
		"no answer": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client is gone
			<-r.Context().Done()
		},
		"drops": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			for tick := time.NewTicker(20 * time.Millisecond); ; {
				select {
				case <-r.Context().Done():
					tick.Stop()
					return
				case <-tick.C:
				}
				if _, err := io.WriteString(w, "x"); err != nil {
					tick.Stop()
					return
				}
				_ = http.NewResponseController(w).Flush()
			}
		},
	}
}

// maxAllocated is how much a diagnosis of a hostile site may allocate in all, both its own
// part and the test's server. Each site here has a gigabyte or more to give.
const maxAllocated = 96 << 20

// This test does not run beside others, whose memory would count.
func TestHostileSitesCostLittleTimeAndMemory(t *testing.T) { //nolint:paralleltest // see above
	for name, h := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int64
			w := newWorld(t, counted(h, &n))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			r := diagnose(t, w, func(o *jetpack.Options, _ *jetpack.Target) {
				o.StepTimeout, o.Timeout = 400*time.Millisecond, 5*time.Second
			})
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if took > 7*time.Second || n.Load() > most {
				t.Errorf("%d requests took %s", n.Load(), took)
			}
			if all := after.TotalAlloc - before.TotalAlloc; all > maxAllocated {
				t.Errorf("%d MB were allocated", all>>20)
			}
			t.Logf("%d requests, %s, %d MB: %s", n.Load(), took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20, r.Conclusion)
			if len(r.Causes) == 0 {
				t.Errorf("%s", table(r))
			}
			for _, f := range r.Findings {
				if len(f.Seen) > 500 {
					t.Errorf("%s shows %d bytes", f.Check, len(f.Seen))
				}
			}
		})
	}
}

func TestAddressesThatASiteNamesAreNeverCalledIfTheyArePrivate(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var called []string
	inner := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		called = append(called, r.Method+" "+r.URL.String())
	}))
	site := fakejetpack.Options{Tokens: connected().Tokens, Home: strings.TrimSuffix(inner, "/"), Dir: "/x", HomeAbove: true}
	for name, h := range map[string]http.Handler{
		"a redirect":         http.RedirectHandler(inner, http.StatusFound),
		"a redirect of POST": http.RedirectHandler(inner, http.StatusTemporaryRedirect),
		"an index":           fakejetpack.New(site),
		"a link in a page": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `<html><head><link rel="EditURI" type="application/rsd+xml" href="%sxmlrpc.php?rsd" /><link rel="https://api.w.org/" href="%swp-json/" /></head><body>x</body></html>`, inner, inner)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, h)
			u, err := url.Parse(w.site)
			if err != nil {
				t.Fatal(err)
			}
			p, err := probe.New(probe.Options{Allowed: []netip.AddrPort{netip.MustParseAddrPort(u.Host)}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Close() })
			r := diagnose(t, w, func(o *jetpack.Options, _ *jetpack.Target) { o.Prober, o.MetadataURL = p, jetpack.NoMetadata })
			if len(r.Causes) == 0 {
				t.Errorf("%s", table(r))
			}
		})
	}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		if len(called) > 0 {
			t.Errorf("called %q", called)
		}
	})
}
