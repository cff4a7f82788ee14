package wordpress

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/signature"
	"github.com/Automattic/jetmon/internal/jetpack/xmlrpc"
)

// answer is what a site said, as far as a diagnosis reads it.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// client does not follow redirects.
var client = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{DisableKeepAlives: true},
}

func send(t testing.TB, method, to string, body []byte) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, to, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "text/xml")
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, got}
}

// shape tells an answer in a line: the status, the headers that matter, and what the body is.
func (a answer) shape() string {
	parts := []string{fmt.Sprint(a.status)}
	for _, name := range []string{"Content-Type", "Allow", "Retry-After"} {
		if v := a.header.Get(name); v != "" {
			parts = append(parts, strings.ReplaceAll(strings.ToLower(v), "; ", ";"))
		}
	}
	// nginx adds its own Date; a script's stands beside or instead of it.
	if slices.ContainsFunc(a.header.Values("Date"), func(v string) bool { return strings.HasSuffix(v, "+0000") }) {
		parts = append(parts, "date +0000")
	}
	return strings.Join(append(parts, bodyShape(a.body)), "; ")
}

// bodyShape tells what a body is.
func bodyShape(body []byte) string {
	text := string(bytes.TrimSpace(body))
	before, rest, isXML := strings.Cut(text, "<?xml")
	switch {
	case text == "":
		return "nothing"
	case strings.Contains(rest, "<rsd"):
		return "rsd"
	case isXML:
		after := rest[strings.LastIndex(rest, ">")+1:]
		if i := strings.LastIndex(rest, "</methodResponse>"); i >= 0 {
			after = rest[i+len("</methodResponse>"):]
			rest = rest[:i+len("</methodResponse>")]
		}
		value, err := xmlrpc.DecodeAnswer([]byte("<?xml" + rest))
		said := fmt.Sprintf("%T %v", value, value)
		if names, ok := xmlrpc.Strings(value); ok {
			said = methodsShape(names)
		}
		if fault, ok := errors.AsType[*xmlrpc.Fault](err); ok {
			said = fault.Error()
		} else if err != nil {
			said = "no answer: " + err.Error()
		}
		if strings.TrimSpace(before) != "" || strings.HasPrefix(before, "\ufeff") {
			said = "junk before " + said
		}
		if strings.TrimSpace(after) != "" {
			said += " and junk behind"
		}
		return said
	case strings.HasPrefix(text, "{"):
		return "json " + keysOf(body)
	}
	for _, known := range []string{
		"XML-RPC server accepts POST requests only.", "Error establishing a database connection", "There has been a critical error",
		"Briefly unavailable for scheduled maintenance", "Coming soon", "Hello world!",
	} {
		if i := strings.Index(strings.ToLower(text), strings.ToLower(known)); i >= 0 {
			if i > 0 && !strings.HasPrefix(text, "<!DOCTYPE") {
				return "junk before " + known
			}
			return known
		}
	}
	if i := strings.Index(text, `{"`); i > 0 {
		return "junk before json " + keysOf([]byte(text[i:]))
	}
	return fmt.Sprintf("%.12q", text)
}

// methodsShape tells which of Jetpack's methods are in a list.
func methodsShape(names []string) string {
	var jetpack []string
	core := 0
	for _, name := range names {
		if strings.HasPrefix(name, "jetpack.") {
			jetpack = append(jetpack, strings.TrimPrefix(name, "jetpack."))
		} else {
			core++
		}
	}
	slices.Sort(jetpack)
	return fmt.Sprintf("methods: core %t, jetpack [%s]", core > 3, strings.Join(jetpack, " "))
}

// keysOf returns the names of a JSON object with their types; of an error also its code.
func keysOf(body []byte) string {
	var object map[string]any
	if err := json.Unmarshal(body, &object); err != nil {
		return "broken: " + err.Error()
	}
	if code, ok := object["code"].(string); ok {
		return "error " + code
	}
	return strings.Join(typed("", object), " ")
}

func typed(prefix string, object map[string]any) []string {
	var out []string
	for name, value := range object {
		switch value := value.(type) {
		case map[string]any:
			switch name {
			case "_links":
				continue
			case "routes", "sync_error_log":
				// Their names differ from site to site.
				out = append(out, prefix+name+":object")
				continue
			}
			out = append(out, typed(prefix+name+".", value)...)
		case bool:
			out = append(out, prefix+name+":bool")
		case float64:
			out = append(out, prefix+name+":number")
		case string:
			out = append(out, prefix+name+":string")
		case nil:
			out = append(out, prefix+name+":null")
		default:
			out = append(out, prefix+name+":list")
		}
	}
	slices.Sort(out)
	return out
}

// call is a request, made for a site whose front page is at home and whose files are at core.
type call func(t testing.TB, home, core string) answer

// get asks for a path below the front page.
func get(path string) call {
	return func(t testing.TB, home, _ string) answer { return send(t, http.MethodGet, home+path, nil) }
}

// fromCore asks for a path below WordPress's own directory.
func fromCore(path string) call {
	return func(t testing.TB, _, core string) answer { return send(t, http.MethodGet, core+path, nil) }
}

// unsigned calls a method of xmlrpc.php.
func unsigned(method, query string) call {
	return func(t testing.TB, _, core string) answer {
		return send(t, http.MethodPost, core+"xmlrpc.php"+query, encode(t, method))
	}
}

func encode(t testing.TB, method string, params ...xmlrpc.Value) []byte {
	t.Helper()
	body, err := xmlrpc.EncodeCall(method, params...)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func token(t testing.TB, stored string) signature.Credential {
	t.Helper()
	c, err := signature.ParseCredential(stored)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wrong is how a signed call differs from the right one.
type wrong struct {
	token, method  string
	clock          time.Duration
	host, extra    string
	port           int
	twice, altered bool
	rest           string
}

// signed makes a signed call: of testConnection, or of a REST route.
func signed(w wrong) call {
	return func(t testing.TB, home, core string) answer {
		t.Helper()
		if w.token == "" {
			w.token = BlogToken
		}
		if w.method == "" {
			w.method = "jetpack.testConnection"
		}
		c := signature.Call{Method: http.MethodPost, URL: core + "xmlrpc.php?for=jetpack", Body: encode(t, w.method), Time: time.Now().Add(w.clock), As: signature.As{Host: w.host, Port: w.port}}
		if w.method == "jetpack.testAPIUserCode" {
			c.Body = encode(t, w.method, []xmlrpc.Value{1, 1, "nonce", strings.Repeat("0", 32)})
		}
		if w.rest != "" {
			c.Method, c.URL, c.Body = http.MethodGet, home+w.rest+"_for=jetpack", nil
		}
		to, err := token(t, w.token).SignQuery(c)
		if err != nil {
			t.Fatal(err)
		}
		if w.twice {
			send(t, c.Method, to, c.Body)
		}
		if w.altered {
			c.Body = append(slices.Clone(c.Body), ' ')
		}
		return send(t, c.Method, to+w.extra, c.Body)
	}
}
