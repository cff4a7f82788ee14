package coordinator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/sitefile"
	"github.com/Automattic/jetmon/test/mariadb"
	"github.com/Automattic/jetmon/test/seeds"
)

// importing sends rows and returns the answers, and how the stream ended.
func (r *rig) importing(ctx context.Context, t *testing.T, rows []*monitorv1.Site) (answers []*monitorv1.ImportSitesResponse, end error) {
	t.Helper()
	stream, err := monitorv1.NewSiteServiceClient(r.conn).ImportSites(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		for _, row := range rows {
			if stream.Send(&monitorv1.ImportSitesRequest{Site: row}) != nil {
				return // Recv says why
			}
		}
		_ = stream.CloseSend()
	})
	for {
		a, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return answers, nil
		}
		if err != nil {
			return answers, err
		}
		answers = append(answers, a)
	}
}

// exporting returns an export as a file.
func (r *rig) exporting(ctx context.Context, t *testing.T, req *monitorv1.ExportSitesRequest, format sitefile.Format) string {
	t.Helper()
	stream, err := monitorv1.NewSiteServiceClient(r.conn).ExportSites(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	out := sitefile.NewWriter(&file, format)
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Write(resp.GetSite()); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	return file.String()
}

// rowsOf reads a file.
func rowsOf(t *testing.T, file string, format sitefile.Format) (rows []*monitorv1.Site) {
	t.Helper()
	in := sitefile.NewReader(strings.NewReader(file), format)
	for {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
}

// manySites are sites with all that can be said of one, some of them in one blog, and some of
// them twice.
func manySites(random *rand.Rand, n int) (rows []*monitorv1.Site) {
	some := func(values ...string) []string {
		random.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
		return values[:random.IntN(len(values)+1)]
	}
	for i := range n {
		site := &monitorv1.Site{
			Url: fmt.Sprintf("https://site-%d.example/%s?a=b,c#%d", i, []string{"", "ü", "%41", "\"quoted\""}[random.IntN(4)], i), BlogId: int64(random.IntN(n / 10)),
			Paused: random.IntN(4) == 0, Tags: some("shop", "eu-1", "a.b:c_d"), PublicBadges: random.IntN(4) == 0,
		}
		if random.IntN(2) == 0 {
			site.CheckInterval = durationpb.New(time.Duration(1+random.IntN(255)) * time.Minute)
		}
		if random.IntN(2) == 0 {
			site.Settings = &monitorv1.CheckSettings{
				Method: checkv1.Method(random.IntN(3)), RedirectPolicy: checkv1.RedirectPolicy(random.IntN(3)),
				RequiredTexts: some("Grüße, \"Welt\"", "=1+1", "a\nb"), ForbiddenTexts: some("Fatal error", "\\"),
			}
		}
		if random.IntN(3) == 0 {
			site.Settings = &monitorv1.CheckSettings{SlowAfter: durationpb.New(time.Duration(1+random.IntN(60000)) * time.Millisecond),
				Headers: []*checkv1.Header{{Name: "X-Probe", Value: "a, b"}}}
		}
		if rows = append(rows, site); random.IntN(20) == 0 {
			rows = append(rows, site)
		}
	}
	return rows
}

// onMariaDB has a coordinator use a database of its own on MariaDB.
func onMariaDB(t *testing.T) func(*coordinator.Options) {
	return func(o *coordinator.Options) {
		s, err := sqlstore.Open(t.Context(), mariadb.Start(t), sqlstore.Options{LegacyWrites: true, Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		o.Store = s
	}
}

// importResults counts answers by their result, and holds their rows to be 1, 2, 3 ...
func importResults(t *testing.T, answers []*monitorv1.ImportSitesResponse) map[monitorv1.ImportResult]int {
	t.Helper()
	counts := map[monitorv1.ImportResult]int{}
	for i, a := range answers {
		counts[a.GetResult()]++
		if a.GetRow() != int64(i+1) || (a.GetSiteId() == 0) != (a.GetResult() == monitorv1.ImportResult_IMPORT_RESULT_REFUSED) || (a.GetError() == nil) == (a.GetSiteId() == 0) {
			t.Fatalf("answer %d is %v", i, a)
		}
	}
	return counts
}

func TestWhatIsExportedAndImportedElsewhereIsExportedThereByteForByte(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		here, there := startWith(t, onMariaDB(t)), start(t)
		rows := manySites(random, 700+random.IntN(600))
		answers, err := here.importing(t.Context(), t, rows)
		if err != nil || len(answers) != len(rows) {
			t.Fatalf("%d answers of %d: %v", len(answers), len(rows), err)
		}
		counts := importResults(t, answers)
		if counts[monitorv1.ImportResult_IMPORT_RESULT_REFUSED] > 0 || counts[monitorv1.ImportResult_IMPORT_RESULT_DIFFERENT] > 0 {
			t.Errorf("results are %v", counts)
		}
		for _, format := range []sitefile.Format{sitefile.NDJSON, sitefile.CSV} {
			file := here.exporting(t.Context(), t, &monitorv1.ExportSitesRequest{}, format)
			again, err := there.importing(t.Context(), t, rowsOf(t, file, format))
			if err != nil {
				t.Fatal(err)
			}
			if got := importResults(t, again); got[monitorv1.ImportResult_IMPORT_RESULT_REFUSED]+got[monitorv1.ImportResult_IMPORT_RESULT_DIFFERENT] > 0 {
				t.Errorf("%s: results are %v", format, got)
			}
			if back := there.exporting(t.Context(), t, &monitorv1.ExportSitesRequest{}, format); back != file {
				t.Errorf("%s: %d bytes are exported, and after their import %d", format, len(file), len(back))
			}
		}
	})
}

// An import that is cut off and sent again, or sent several times at once, adds each site once.
func TestAnImportThatIsSentAgainDoublesNothing(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		r := startWith(t, onMariaDB(t))
		rows := manySites(random, 1500)
		distinct := map[string]bool{}
		for _, row := range rows {
			distinct[fmt.Sprint(row.GetBlogId(), " ", row.GetUrl())] = true
		}
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			stream, err := monitorv1.NewSiteServiceClient(r.conn).ImportSites(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows[:random.IntN(len(rows))] {
				if stream.Send(&monitorv1.ImportSitesRequest{Site: row}) != nil {
					break
				}
			}
			cancel()
		}
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				if answers, err := r.importing(t.Context(), t, rows); err != nil || len(answers) != len(rows) {
					t.Errorf("%d answers: %v", len(answers), err)
				}
			})
		}
		group.Wait()
		file := r.exporting(t.Context(), t, &monitorv1.ExportSitesRequest{}, sitefile.NDJSON)
		if n := strings.Count(file, "\n"); n != len(distinct) {
			t.Errorf("%d sites, want %d", n, len(distinct))
		}
	})
}

func TestARowThatIsRefusedStopsNoOther(t *testing.T) {
	t.Parallel()
	r := start(t)
	rows := []*monitorv1.Site{
		{Url: "https://a.example/"}, nil, {Url: "nonsense"}, {Url: "https://b.example/", CheckInterval: durationpb.New(90 * time.Second)},
		{Url: "https://c.example/", BlogId: -1}, {Url: "https://d.example/", Tags: []string{"No"}}, {Url: "ftp://x.example/"},
		{Url: "https://e.example/", Settings: &monitorv1.CheckSettings{RequiredTexts: slices.Repeat([]string{"x"}, 9)}},
		{Url: "https://a.example/", Paused: true}, {Url: "https://a.example/"}, {Url: "https://f.example/"},
	}
	answers, err := r.importing(t.Context(), t, rows)
	if err != nil || len(answers) != len(rows) {
		t.Fatalf("%d answers: %v", len(answers), err)
	}
	want := []string{"CREATED", "site: ", "site.url: ", "site.check_interval: ", "site.blog_id: ", "site.tags", "site.url: ", "site.settings.required_texts", "DIFFERENT", "UNCHANGED", "CREATED"}
	for i, a := range answers {
		if got := a.GetResult().String() + " " + a.GetError().GetMessage(); !strings.Contains(got, want[i]) {
			t.Errorf("row %d: %q, want %q", i+1, got, want[i])
		}
	}
	importResults(t, answers)
	if _, err := r.importing(t.Context(), t, []*monitorv1.Site{{Url: "https://g.example/" + strings.Repeat("x", 200<<10)}}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("a row of 200 KiB: %v", err)
	}
}

func TestAnImportThatMayAddNothingSaysSoAtOnce(t *testing.T) {
	t.Parallel()
	r := startWith(t, func(o *coordinator.Options) {
		s, err := sqlstore.Open(t.Context(), mariadb.Start(t), sqlstore.Options{Migrate: true, NoEdits: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		o.Store = s
	})
	answers, err := r.importing(t.Context(), t, manySites(rand.New(rand.NewPCG(1, 0)), 20))
	if len(answers) != 0 || status.Code(err) != codes.FailedPrecondition || !strings.Contains(status.Convert(err).Message(), "--db-edits") {
		t.Errorf("%d answers, %v", len(answers), err)
	}
}

func TestAnImportAndAnExportAreOfTheCallersBlogs(t *testing.T) {
	t.Parallel()
	r := guarded(t)
	all, mine := r.token(t, nil, "sites:read", "sites:write"), r.token(t, []int64{7}, "sites:read", "sites:write")
	rows := []*monitorv1.Site{{Url: "https://a.example/", BlogId: 7}, {Url: "https://b.example/", BlogId: 8}, {Url: "https://c.example/"}}
	if answers, err := r.importing(as(t, all), t, rows[1:2]); err != nil || importResults(t, answers)[monitorv1.ImportResult_IMPORT_RESULT_CREATED] != 1 {
		t.Fatalf("%v, %v", answers, err)
	}
	answers, err := r.importing(as(t, mine), t, rows)
	if err != nil || len(answers) != 3 {
		t.Fatalf("%v, %v", answers, err)
	}
	for i, want := range []codes.Code{codes.OK, codes.PermissionDenied, codes.PermissionDenied} {
		if codes.Code(answers[i].GetError().GetCode()) != want {
			t.Errorf("row %d: %v, want %v", i+1, answers[i], want)
		}
	}
	for _, req := range []*monitorv1.ExportSitesRequest{{}, {BlogId: 7}, {Host: "a.example"}} {
		if file := r.exporting(as(t, mine), t, req, sitefile.NDJSON); strings.Count(file, "\n") != 1 || !strings.Contains(file, "a.example") {
			t.Errorf("%v: %s", req, file)
		}
	}
	for _, req := range []*monitorv1.ExportSitesRequest{{BlogId: 8}, {Host: "b.example"}, {Tag: "none"}} {
		if file := r.exporting(as(t, mine), t, req, sitefile.NDJSON); file != "" {
			t.Errorf("%v: %s", req, file)
		}
	}
	trail, err := r.store.ListAudit(t.Context(), store.AuditQuery{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var on []string
	for _, a := range trail {
		if a.Method == "jetmon.monitor.v1.SiteService/ImportSites" {
			on = append(on, a.Resource+" "+a.After)
		}
	}
	if len(on) != 2 || !strings.Contains(on[0], "https://a.example/") || !strings.Contains(on[1], "https://b.example/") {
		t.Errorf("on record is %q", on)
	}
}
