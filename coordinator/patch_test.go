package coordinator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/mariadb"
	"github.com/Automattic/jetmon/test/seeds"
)

// face is a gateway over TCP, and a client of it.
type face struct {
	base   string
	client *http.Client
}

// serveREST runs a gateway until the end of the test.
func serveREST(t *testing.T, network rpc.Network, coordinators string) face {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{Coordinator: coordinators, Client: rpc.ClientOptions{Network: network}, Listeners: []net.Listener{l}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return face{base: "http://" + l.Addr().String(), client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// call answers the status and the body.
func (f face) call(ctx context.Context, method, path, body string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, f.base+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// site reads a site over REST.
func (f face) site(t *testing.T, id int64) (raw string, site *monitorv1.Site) {
	t.Helper()
	code, body, err := f.call(t.Context(), http.MethodGet, fmt.Sprint("/v1/sites/", id), "")
	if err != nil || code != http.StatusOK {
		t.Fatalf("%d, %v: %s", code, err, body)
	}
	site = new(monitorv1.Site)
	if err := protojson.Unmarshal(body, site); err != nil {
		t.Fatal(err)
	}
	return string(body), site
}

// edits are the ways to change one field each, by path, as JSON, from any number.
func edits() map[string]func(n int) string {
	return map[string]func(n int) string{
		"blog_id":                  func(n int) string { return fmt.Sprintf(`{"blog_id":"%d"}`, 1+n) },
		"url":                      func(n int) string { return fmt.Sprintf(`{"url":"http://%[1]d.example/%[1]d"}`, n) },
		"check_interval":           func(n int) string { return fmt.Sprintf(`{"check_interval":"%ds"}`, 60*(1+n%255)) },
		"paused":                   func(n int) string { return fmt.Sprintf(`{"paused":%t}`, n%2 == 0) },
		"settings.method":          func(n int) string { return fmt.Sprintf(`{"settings":{"method":%d}}`, n%4) },
		"settings.redirect_policy": func(n int) string { return fmt.Sprintf(`{"settings":{"redirect_policy":%d}}`, n%3) },
		"settings.required_texts":  func(n int) string { return fmt.Sprintf(`{"settings":{"required_texts":["r%d"]}}`, n) },
		"settings.forbidden_texts": func(n int) string { return fmt.Sprintf(`{"settings":{"forbidden_texts":["f%d"]}}`, n) },
		"settings.headers": func(n int) string {
			return fmt.Sprintf(`{"settings":{"headers":[{"name":"X-N","value":"%d"}]}}`, n)
		},
		"tags": func(n int) string {
			if n%5 == 0 {
				return `{"tags":[]}`
			}
			return fmt.Sprintf(`{"tags":["all","t%d"]}`, n)
		},
		"public_badges":       func(n int) string { return fmt.Sprintf(`{"public_badges":%t}`, n%2 == 0) },
		"settings.slow_after": func(n int) string { return fmt.Sprintf(`{"settings":{"slow_after":"0.%03ds"}}`, 1+n%999) },
	}
}

func paths() []string {
	return []string{"blog_id", "url", "check_interval", "paused", "tags", "public_badges", "settings.method", "settings.redirect_policy",
		"settings.required_texts", "settings.forbidden_texts", "settings.headers", "settings.slow_after"}
}

// patch sends an edit of one field, over REST or gRPC.
type patch func(ctx context.Context, id int64, path, body string) error

func (f face) patch(ctx context.Context, id int64, _, body string) error {
	code, answer, err := f.call(ctx, http.MethodPatch, fmt.Sprint("/v1/sites/", id), body)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("%d: %s", code, answer)
	}
	return err
}

func (m *member) patch(ctx context.Context, id int64, path, body string) error {
	site := new(monitorv1.Site)
	if err := protojson.Unmarshal([]byte(body), site); err != nil {
		return err
	}
	site.SiteId = id
	_, err := m.sites.UpdateSite(ctx, &monitorv1.UpdateSiteRequest{Site: site, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{path}}})
	return err
}

// round has different fields of a site changed at once, and wants all of them changed and
// nothing else.
func round(t *testing.T, read func() *monitorv1.Site, id int64, random *rand.Rand, fields []string, by ...patch) {
	t.Helper()
	want := read()
	errs := make([]error, len(fields))
	begin := make(chan struct{})
	var all sync.WaitGroup
	for i, path := range fields {
		body := edits()[path](random.IntN(1 << 30))
		overlayJSON(t, want, path, body)
		all.Go(func() {
			<-begin
			errs[i] = by[(i+len(fields))%len(by)](t.Context(), id, path, body)
		})
	}
	close(begin)
	all.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("PATCH of %s: %v", fields[i], err)
		}
	}
	if diff := cmp.Diff(editable(want), editable(read()), protocmp.Transform()); diff != "" {
		t.Fatalf("after PATCHes of %v at once (-want +got):\n%s", fields, diff)
	}
}

// overlayJSON sets the field at path in site to what body says.
func overlayJSON(t *testing.T, site *monitorv1.Site, path, body string) {
	t.Helper()
	var edit, whole map[string]json.RawMessage
	raw, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(site)
	if err == nil {
		err = json.Unmarshal(raw, &whole)
	}
	if err == nil {
		err = json.Unmarshal([]byte(body), &edit)
	}
	if err != nil {
		t.Fatal(err)
	}
	top, leaf, nested := strings.Cut(path, ".")
	if nested {
		var inner, change map[string]json.RawMessage
		if err := json.Unmarshal(whole[top], &inner); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(edit[top], &change); err != nil {
			t.Fatal(err)
		}
		inner[leaf] = change[leaf]
		if edit[top], err = json.Marshal(inner); err != nil {
			t.Fatal(err)
		}
	}
	whole[top] = edit[top]
	if raw, err = json.Marshal(whole); err != nil {
		t.Fatal(err)
	}
	if err := protojson.Unmarshal(bytes.TrimSpace(raw), site); err != nil {
		t.Fatal(err)
	}
}

// editable is what a client may set of a site.
func editable(s *monitorv1.Site) *monitorv1.Site {
	return &monitorv1.Site{SiteId: s.GetSiteId(), BlogId: s.GetBlogId(), Url: s.GetUrl(), CheckInterval: s.GetCheckInterval(), Paused: s.GetPaused(), Settings: s.GetSettings(), Tags: s.GetTags(), PublicBadges: s.GetPublicBadges()}
}

// systems are where PATCHes are sent: coordinators with their database, of which the first
// does not own the sites when there are two.
func systems() map[string]func(*testing.T, *rpc.Memory) map[string]*member {
	one := share{"a", 0, check.Buckets - 1, nil}
	return map[string]func(*testing.T, *rpc.Memory) map[string]*member{
		"SQLite": func(t *testing.T, n *rpc.Memory) map[string]*member {
			return fleet(t, "sqlite:"+filepath.Join(t.TempDir(), "jetmon.db"), n, one)
		},
		"MariaDB": func(t *testing.T, n *rpc.Memory) map[string]*member { return fleet(t, mariadb.Start(t), n, one) },
		"two coordinators on MariaDB": func(t *testing.T, n *rpc.Memory) map[string]*member {
			return fleet(t, mariadb.Start(t), n, share{"a", 256, check.Buckets - 1, nil}, share{"b", 0, 255, nil})
		},
	}
}

func TestPatchesOfDifferentFieldsAtOnceAreAllKept(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for name, start := range systems() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				network := rpc.NewMemory()
				members := start(t, network)
				addresses := slices.Sorted(maps.Keys(members))
				rest := serveREST(t, network, strings.Join(addresses, ","))
				by := []patch{rest.patch}
				for _, address := range addresses {
					by = append(by, members[address].patch)
				}
				read := func(id int64) func() *monitorv1.Site {
					return func() *monitorv1.Site { _, s := rest.site(t, id); return s }
				}
				for kind, by := range map[string][]patch{"over REST": by[:1], "over gRPC": by[1:], "over both": by} {
					t.Run(kind, func(t *testing.T) {
						random := rand.New(rand.NewPCG(seed, uint64(kind[len(kind)-1])))
						id := members["a"].make(t, 7, "http://example.com/"+strings.Fields(kind)[1]).GetSiteId()
						for i, one := range paths() {
							for _, other := range paths()[i+1:] {
								round(t, read(id), id, random, []string{one, other}, by...)
							}
						}
						more := 30
						if seeds.Soaks() {
							more = 290 // 1,000 rounds on each system
						}
						for range more {
							fields := paths()
							random.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
							round(t, read(id), id, random, fields[:3+random.IntN(5)], by...)
						}
					})
				}
			})
		}
	})
}
