package format_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// ill is a report with two causes.
func ill() *jetpack.Report {
	firewall := cause.Cause{Name: "firewall", Sure: cause.Certain, Means: "A firewall answers in place of the site, whatever the call is about and whoever makes it.", Owner: "Ask the host.", Host: "Let WordPress.com's address ranges (https://jetpack.com/ips-v4.txt) through to xmlrpc.php, as its calls come from there."}
	cron := cause.Cause{Name: "cron_stopped", Weight: cause.Partial, Means: "WP-Cron does not run.", Host: "Call wp-cron.php."}
	find := func(section jetpack.Section, check string, v jetpack.Verdict, c cause.Cause, seen string) jetpack.Finding {
		return jetpack.Finding{Section: section, Check: check, Verdict: v, Cause: c.Name, Sure: c.Sure, Means: c.Means, Do: c.Owner, Host: c.Host, Seen: seen}
	}
	special := find(jetpack.SectionXMLRPC, "xmlrpc_get", jetpack.Warn, firewall, "GET: 403")
	special.Means = "Only GET is affected."
	return &jetpack.Report{
		URL: "https://a.example/", Given: "http://a.example/", From: "192.0.2.7", Took: time.Second, Start: time.Date(2026, 11, 30, 1, 2, 3, 0, time.FixedZone("", 3600)),
		Findings: []jetpack.Finding{
			{Section: jetpack.SectionWayIn, Check: "dns", Verdict: jetpack.Pass, Seen: "192.0.2.1"},
			special,
			find(jetpack.SectionXMLRPC, "xmlrpc_post", jetpack.Fail, firewall, "POST: "+strings.Repeat("403 ", 40)),
			find(jetpack.SectionSync, "wp_cron", jetpack.Warn, cron, "7h late"),
		},
		Causes: []jetpack.Cause{
			{Cause: firewall, Verdict: jetpack.Fail, Checks: []string{"xmlrpc_post", "xmlrpc_get"}},
			{Cause: cron, Verdict: jetpack.Warn, Checks: []string{"wp_cron"}},
		},
		Conclusion: "The cause: A firewall answers in place of the site, whatever the call is about and whoever makes it. (Beside it: cron_stopped.)",
	}
}

func TestCausesStandFirstAndTheirFindingsReferToThem(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	err := format.Diagnosis(&b, ill(), format.Style{})
	const want = `https://a.example/ (1s)

Cause 1  firewall: fails, certain
  A firewall answers in place of the site, whatever the call is about and
  whoever makes it.
  owner: Ask the host.
  host:  Let WordPress.com's address ranges (https://jetpack.com/ips-v4.txt)
         through to xmlrpc.php, as its calls come from there.
  seen:  xmlrpc_post, xmlrpc_get

Cause 2  cron_stopped: warns, likely
  WP-Cron does not run.
  host:  Call wp-cron.php.
  seen:  wp_cron

1  The way in
  pass  dns                192.0.2.1

2  xmlrpc.php
  WARN  xmlrpc_get         GET: 403
                           see:    cause 1, firewall
                           means:  Only GET is affected.
  FAIL  xmlrpc_post        POST: 403 403 403 403 403 403 403 403 403 403 403 403
`
	if err != nil || !strings.HasPrefix(b.String(), want) {
		t.Errorf("%v, got:\n%s\nwant first:\n%s", err, &b, want)
	}
	if strings.Count(b.String(), "Ask the host.") != 1 || !strings.HasSuffix(b.String(), "\nThe cause: A firewall answers in place of the site, whatever the call is about\nand whoever makes it. (Beside it: cron_stopped.)\n") {
		t.Errorf("advice is repeated, or the conclusion is not last:\n%s", &b)
	}
}

func TestNoLineIsLongerThanTheTerminal(t *testing.T) {
	t.Parallel()
	answer := &jetpack.Answered{
		Words: "Error updating settings", Means: strings.Repeat("meaning ", 30), Else: "Do this.", Causes: []string{"firewall"},
		RuledOut: []string{"rest_index: " + strings.Repeat("well ", 30)}, Unknown: []string{"signed_by_blog: no blog token is given"},
	}
	for _, width := range []int{0, 60, 80, 100, 110, 300} {
		var b bytes.Buffer
		if err := format.Diagnosis(&b, ill(), format.Style{Width: width, Symptom: answer}); err != nil {
			t.Fatal(err)
		}
		most := min(width, 110)
		if width == 0 {
			most = 80
		}
		longest := 0
		for line := range strings.Lines(b.String()) {
			longest = max(longest, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")))
		}
		if longest > most || longest < most-12 {
			t.Errorf("width %d: the longest line has %d:\n%s", width, longest, &b)
		}
	}
}

func TestASymptomStandsBeforeTheCauses(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := format.Diagnosis(&b, ill(), format.Style{Symptom: &jetpack.Answered{Words: "Error updating settings", Means: "It means this.", Else: "Do that.", Unknown: []string{"modules: no token"}}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "\nOn the screen: \"Error updating settings\"\n  It means this.\n  Nothing that was found explains it. Do that.\n\nCause 1") ||
		!strings.Contains(b.String(), "\nOther usual reasons\n  open  modules: no token\n\nThe cause:") {
		t.Error(&b)
	}
}

func TestAReportForSupportHasEvidenceVersionsAndTimesInItsBounds(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	about := format.About{Version: "jetmon 3.1", UserAgent: "jetmon/3.0 (x)", Tokens: "blog"}
	if err := format.Support(&b, ill(), &jetpack.Answered{Words: "Error updating settings"}, about); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Jetmon's diagnosis of https://a.example/", "http://a.example/", "2026-11-30T00:02:03Z", "jetmon 3.1", "192.0.2.7", "jetmon/3.0 (x)", "blog", "Error updating settings",
		"1. firewall (fail, certain; seen by xmlrpc_post, xmlrpc_get)", "Owner: Ask the host.", "- warn    wp_cron: 7h late", "The cause: A firewall",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, &b)
		}
	}
	large := ill()
	for i := range 5000 {
		large.Findings = append(large.Findings, jetpack.Finding{Section: jetpack.SectionLogs, Check: fmt.Sprint("x", i), Seen: strings.Repeat("é", 200)})
	}
	b.Reset()
	if err := format.Support(&b, large, nil, about); err != nil || b.Len() > 64<<10 || b.Len() < 63<<10 || !utf8.Valid(b.Bytes()) || !strings.Contains(b.String(), "left out: the report would be too long") {
		t.Errorf("%v: %d bytes", err, b.Len())
	}
}

func TestManySitesAreSummedUpByCause(t *testing.T) {
	t.Parallel()
	sum := func(reports ...*jetpack.Report) string {
		c := format.Crowd{Sites: len(reports) + 1, Refused: 2}
		for _, r := range reports {
			c.Add(r)
		}
		var b bytes.Buffer
		if err := c.Write(&b, format.Style{}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	well := &jetpack.Report{Given: "https://well.example/"}
	text := sum(ill(), well, ill(), ill(), ill())
	for _, want := range []string{
		"5 sites: 1 well, 0 with warnings, 4 with failures, 1 not diagnosed; 2 lines refused\n",
		"firewall                 fails      4   80 %       0\n", "cron_stopped             warns      0    0 %       4\n",
		"  sites: http://a.example/ http://a.example/ http://a.example/ and 1 more\n",
		"\nIt is one cause: firewall, on all 4 sites that fail.\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	other := ill()
	other.Causes = other.Causes[:1]
	other.Causes[0].Name = "basic_auth"
	away := ill()
	away.Findings, away.Causes = away.Findings[3:], []jetpack.Cause{{Cause: cause.Cause{Name: "our_resolver", Weight: cause.Ours}, Verdict: jetpack.Warn}}
	if text := sum(well, away); !strings.HasPrefix(text, "2 sites: 1 well, 0 with warnings, 0 with failures, 1 unknown for a reason on our side, 1 not diagnosed") {
		t.Error(text)
	}
	for want, text := range map[string]string{
		"It is not one cause: 2 causes on 2 sites that fail; the most frequent is basic_auth, on 1.": sum(ill(), other),
		"It is mostly one cause: firewall, on 4 of 5 sites that fail.":                               sum(ill(), other, ill(), ill(), ill()),
		"Nothing wrong was found on any site that could be judged.":                                  sum(well, away),
		"Nothing wrong was found on any site.":                                                       sum(well),
		"No site was diagnosed.":                                                                     sum(),
		"Only one of the sites is among those that fail: firewall.":                                  sum(well, ill()),
	} {
		if !strings.HasSuffix(strings.ReplaceAll(text, "\n", " "), want+" ") {
			t.Errorf("%q does not end\n%s", want, text)
		}
	}
}

func TestASiteWritesNoMarkupIntoAReportForSupport(t *testing.T) {
	t.Parallel()
	r := ill()
	r.Conclusion = "The cause: <img src=http://evil.example/a>"
	r.Findings[0].Seen = "Server: ![x](http://evil.example/b) <script>``` \\[y](http://evil.example/c)"
	var b bytes.Buffer
	if err := format.Support(&b, r, nil, format.About{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`\<img src=http://evil.example/a>`, "Server: !\\[x\\](http://evil.example/b) \\<script>\\`\\`\\` \\\\\\[y\\](http://evil.example/c)\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, &b)
		}
	}
}
