package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon"
	"github.com/Automattic/jetmon/test/fakesite"
)

// description is the OpenAPI document as far as this test reads it.
type description struct {
	Paths      map[string]map[string]described
	Components struct {
		Schemas map[string]schema
	}
}

type described struct {
	OperationID string
	Samples     []struct{ Source string } `json:"x-codeSamples"`
	Responses   map[string]struct {
		Ref     string `json:"$ref"`
		Content map[string]struct{ Schema schema }
	}
}

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 string
	Enum                 []any
	Pattern              string
	Items                *schema
	Properties           map[string]schema
	AdditionalProperties json.RawMessage
}

// example is an operation to try.
type example struct {
	name, method, path string
	described
}

// inOrder sorts examples so that what one needs is there: things are made first, read, changed,
// and deleted last.
func (d description) inOrder() (all []example) {
	for path, methods := range d.Paths {
		for method, op := range methods {
			all = append(all, example{method + " " + path, method, path, op})
		}
	}
	rank := func(e example) int {
		switch {
		case e.method == "post" && !strings.ContainsAny(e.path, "{:"):
			return 0
		case e.method == "get":
			return 1
		case e.method != "delete":
			return 2
		}
		return 3
	}
	slices.SortFunc(all, func(a, b example) int {
		if by := rank(a) - rank(b); by != 0 {
			return by
		}
		return strings.Compare(a.name, b.name)
	})
	return all
}

// TestEveryExampleOfTheDescriptionIsAnswered runs each command line of the OpenAPI document as
// it stands there, against a system with a site 1, which is down with others of its host, and
// holds each answer to its schema.
func TestEveryExampleOfTheDescriptionIsAnswered(t *testing.T) {
	t.Parallel()
	var d description
	if err := json.Unmarshal(jetmon.OpenAPI, &d); err != nil {
		t.Fatal(err)
	}
	s := begin(t, inProcess(), setup{})
	site := fakesite.New(t)
	if made := s.rest.create(t, site.URL(), 7); made.SiteID != "1" {
		t.Fatalf("the site is %s", made.SiteID)
	}
	var others []string
	for n := range 10 {
		others = append(others, s.rest.create(t, site.URL()+strconv.Itoa(n), 8).SiteID)
	}
	for _, id := range append(others, "1") {
		s.rest.awaitState(t, id, "UP")
	}
	site.SetStatus(http.StatusServiceUnavailable)
	for _, id := range append(others, "1") {
		s.rest.awaitState(t, id, "DOWN")
	}
	await(t, "the incident of all opens", time.Minute, func() bool {
		status, _, err := s.rest.do(t, http.MethodGet, "/v1/incidents/1", "", "")
		return err == nil && status == http.StatusOK
	})
	s.rest.patch(t, "1", `{"public_badges":true}`)
	all := d.inOrder()
	if len(all) < 25 {
		t.Errorf("%d operations", len(all))
	}
	for _, e := range all {
		d.try(t, s, e)
	}
}

// curlTimeout is the exit code of a curl that was to end in the middle.
const curlTimeout = 28

// tryWithin bounds an example: a diagnosis takes longest.
const tryWithin = time.Minute

func (d description) try(t *testing.T, s system, e example) {
	t.Helper()
	if len(e.Samples) != 1 {
		t.Errorf("%s has %d samples", e.name, len(e.Samples))
		return
	}
	line := strings.Replace(e.Samples[0].Source, "curl -s", `curl -w '\n%{http_code} %{content_type}' -s`, 1)
	endless := strings.HasSuffix(e.path, ":watch")
	if endless {
		line += " --max-time 3"
	}
	ctx, cancel := context.WithTimeout(t.Context(), tryWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", line)
	cmd.Env = append(os.Environ(), "JETMON="+s.restURL(), "TOKEN=none")
	out, err := cmd.Output()
	if endless && cmd.ProcessState.ExitCode() == curlTimeout {
		err = nil
	}
	body, end, ok := cutLast(string(out), "\n")
	status, kind, _ := strings.Cut(end, " ")
	if err != nil || !ok || status != "200" {
		t.Errorf("%s: %v\n%s\n%s", e.name, err, line, out)
		return
	}
	kind, _, _ = strings.Cut(kind, ";")
	content, ok := e.Responses[status].Content[kind]
	if !ok {
		t.Errorf("%s: an answer of type %q is not described", e.name, kind)
		return
	}
	if kind == "text/calendar" {
		if !strings.HasPrefix(body, "BEGIN:VCALENDAR\r\n") || !strings.Contains(body, "\r\nSUMMARY:Move of the shops\r\n") {
			t.Errorf("%s: it answers %q", e.name, body)
		}
		return
	}
	if kind == "image/svg+xml" {
		if !strings.HasPrefix(body, "<svg ") || !strings.Contains(body, "<title>uptime 30d: ") {
			t.Errorf("%s: it answers %q", e.name, body)
		}
		return
	}
	lines := []string{body}
	if kind != "application/json" {
		lines = slices.Collect(strings.Lines(body))
	}
	for _, text := range lines {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Errorf("%s: %v: %s", e.name, err, text)
		} else if err := d.fits(content.Schema, value, "answer"); err != nil {
			t.Errorf("%s: %v: %s", e.name, err, text)
		}
	}
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// fits holds a value to its schema, as far as the document uses schemas.
func (d description) fits(of schema, value any, at string) error {
	if of.Ref != "" {
		named, ok := d.Components.Schemas[strings.TrimPrefix(of.Ref, "#/components/schemas/")]
		if !ok {
			return fmt.Errorf("%s: there is no %s", at, of.Ref)
		}
		return d.fits(named, value, at)
	}
	if len(of.Enum) > 0 && !slices.Contains(of.Enum, value) {
		return fmt.Errorf("%s: %v is none of %v", at, value, of.Enum)
	}
	switch v := value.(type) {
	case map[string]any:
		return d.fitsObject(of, v, at)
	case []any:
		if of.Type != "array" || of.Items == nil {
			return fmt.Errorf("%s is an array, want %s", at, of.Type)
		}
		for i, item := range v {
			if err := d.fits(*of.Items, item, at+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
	case string:
		if of.Type != "string" || of.Pattern != "" && !regexp.MustCompile(of.Pattern).MatchString(v) {
			return fmt.Errorf("%s is %q, want %s like %s", at, v, of.Type, of.Pattern)
		}
	case float64:
		if of.Type != "number" && of.Type != "integer" {
			return fmt.Errorf("%s is a number, want %s", at, of.Type)
		}
	case bool:
		if of.Type != "boolean" {
			return fmt.Errorf("%s is %v, want %s", at, v, of.Type)
		}
	default:
		return fmt.Errorf("%s is %v", at, value)
	}
	return nil
}

func (d description) fitsObject(of schema, value map[string]any, at string) error {
	if of.Type != "object" {
		return fmt.Errorf("%s is an object, want %s", at, of.Type)
	}
	for name, member := range value {
		property, ok := of.Properties[name]
		if !ok && string(of.AdditionalProperties) == "true" {
			continue
		}
		if !ok && json.Unmarshal(of.AdditionalProperties, &property) != nil {
			return fmt.Errorf("%s has %q, which is not described", at, name)
		}
		if err := d.fits(property, member, at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

// TestTheDescriptionHasEveryRoute compares the document with the index of the gateway.
func TestTheDescriptionHasEveryRoute(t *testing.T) {
	t.Parallel()
	var d description
	if err := json.Unmarshal(jetmon.OpenAPI, &d); err != nil {
		t.Fatal(err)
	}
	s := begin(t, inProcess(), setup{idle: true})
	var index struct{ Paths map[string][]string }
	getJSON(t, s.restURL()+"/", &index)
	own := []string{"/", "/healthz", "/readyz", "/openapi.json", "/docs", "/ui", "/status"}
	for path, methods := range index.Paths {
		if slices.ContainsFunc(own, func(p string) bool { return path == p || p != "/" && strings.HasPrefix(path, p+"/") }) {
			continue
		}
		for _, m := range methods {
			if _, ok := d.Paths[path][strings.ToLower(m)]; !ok {
				t.Errorf("%s %s is not described", m, path)
			}
		}
	}
	for path, methods := range d.Paths {
		if _, err := url.Parse(path); err != nil || len(index.Paths[path]) != len(methods) {
			t.Errorf("%s: described are %d methods, there are %v", path, len(methods), index.Paths[path])
		}
	}
}

func getJSON(t *testing.T, from string, to any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, from, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(to); err != nil {
		t.Fatal(err)
	}
}
