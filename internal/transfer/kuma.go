package transfer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
)

// KumaLeftOut lists what of no monitor of Uptime Kuma is taken over.
func KumaLeftOut() []string {
	return []string{
		"names: a site goes by its URL", "notifications and maintenance: Jetmon notifies WordPress.com",
		"retries and timeouts: verifliers elsewhere confirm each outage", "the history of heartbeats",
	}
}

// kumaMonitor is what is read of a monitor. Its numbers and truths may be written in several
// ways, as they come from a database.
type kumaMonitor struct {
	Name          string      `json:"name"`
	Type          string      `json:"type"`
	URL           string      `json:"url"`
	Method        string      `json:"method"`
	Interval      json.Number `json:"interval"`
	Active        *kumaBool   `json:"active"`
	Body          *string     `json:"body"`
	Headers       *string     `json:"headers"`
	Keyword       *string     `json:"keyword"`
	InvertKeyword kumaBool    `json:"invertKeyword"`
	IgnoreTLS     kumaBool    `json:"ignoreTls"`
	UpsideDown    kumaBool    `json:"upsideDown"`
	MaxRedirects  json.Number `json:"maxredirects"`
	Accepted      []string    `json:"accepted_statuscodes"`
	AuthMethod    *string     `json:"authMethod"`
	User          *string     `json:"basic_auth_user"`
	Password      *string     `json:"basic_auth_pass"`
	Proxy         json.Number `json:"proxyId"`
	JSONPath      *string     `json:"jsonPath"`
	Tags          []kumaTag   `json:"tags"`
}

type kumaTag struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// kumaBool is true, false, 1, 0 or null.
type kumaBool bool

// UnmarshalJSON reads it.
func (b *kumaBool) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "true", "1", `"1"`:
		*b = true
	case "false", "0", "null", `"0"`:
		*b = false
	default:
		return fmt.Errorf("%.20s is neither true nor false", text)
	}
	return nil
}

// ReadKuma reads monitors of Uptime Kuma: a backup of version 1 (Settings, Backup, Export), a
// list of them, or the rows of its table monitor, as version 2 has no backup.
func ReadKuma(r io.Reader) ([]Monitor, error) {
	text, err := read(r)
	if err != nil {
		return nil, err
	}
	all, err := kumaMonitors(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	if err != nil {
		return nil, err
	}
	monitors := make([]Monitor, len(all))
	for i, raw := range all {
		m := &monitors[i]
		m.Number = i + 1
		var k kumaMonitor
		if err := json.Unmarshal(kumaNames(raw), &k); err != nil {
			m.Name = fmt.Sprintf("monitor %d", i+1)
			m.drop("it cannot be read: %v", err)
			continue
		}
		m.Name = k.Name
		m.fromKuma(k)
	}
	return monitors, nil
}

// kumaMonitors finds the monitors in a file.
func kumaMonitors(text []byte) ([]json.RawMessage, error) {
	if !json.Valid(text) {
		return nil, errors.New("is no JSON, or not all of it")
	}
	list := json.RawMessage(text)
	if text[0] == '{' {
		keys := map[string]json.RawMessage{}
		if err := json.Unmarshal(text, &keys); err != nil {
			return nil, fmt.Errorf("is no JSON: %w", err)
		}
		if backup, ok := keys["monitorList"]; ok {
			list = backup
		} else if slices.ContainsFunc(slices.Collect(maps.Keys(keys)), func(key string) bool {
			_, err := strconv.Atoi(key)
			return err != nil
		}) {
			return nil, errors.New("is no backup of Uptime Kuma: it has no monitorList")
		}
	}
	all, err := kumaList(list)
	if err != nil {
		return nil, fmt.Errorf("monitorList: %w", err)
	}
	return all, nil
}

// kumaNames gives the columns of the table of monitors the names that they have in a backup.
func kumaNames(raw json.RawMessage) json.RawMessage {
	keys := map[string]json.RawMessage{}
	if json.Unmarshal(raw, &keys) != nil {
		return raw
	}
	for column, name := range map[string]string{
		"ignore_tls": "ignoreTls", "upside_down": "upsideDown", "invert_keyword": "invertKeyword", "auth_method": "authMethod",
		"proxy_id": "proxyId", "json_path": "jsonPath",
	} {
		if value, ok := keys[column]; ok {
			keys[name] = value
		}
	}
	var statuses string // JSON in a text
	if json.Unmarshal(keys["accepted_statuscodes_json"], &statuses) == nil && json.Valid([]byte(statuses)) {
		keys["accepted_statuscodes"] = json.RawMessage(statuses)
	}
	named, err := json.Marshal(keys)
	if err != nil {
		return raw
	}
	return named
}

// kumaList reads the monitors: a list, or an object by id, as the API of Uptime Kuma has it.
func kumaList(raw json.RawMessage) (list []json.RawMessage, err error) {
	if raw[0] != '{' {
		return list, json.Unmarshal(raw, &list)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	for decoder.More() {
		var one json.RawMessage
		if _, err := decoder.Token(); err != nil {
			return nil, err
		}
		if err := decoder.Decode(&one); err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

func (m *Monitor) fromKuma(k kumaMonitor) {
	switch k.Type {
	case "http", "keyword", "json-query", "real-browser":
	case "group":
		m.drop("it is a group; tags group sites here")
		return
	default:
		m.drop("it is of the type %q, and Jetmon checks web pages only", k.Type)
		return
	}
	if !m.newSite(k.URL) {
		return
	}
	if k.UpsideDown {
		m.drop("it is upside down: Jetmon calls no site up because it fails")
		return
	}
	if !m.method(k.Method) {
		return
	}
	seconds, err := k.Interval.Float64()
	if err != nil {
		seconds = 60 // the default of Uptime Kuma
	}
	m.interval(time.Duration(seconds * float64(time.Second)))
	m.Site.Paused = k.Active != nil && !bool(*k.Active)
	if k.IgnoreTLS {
		m.Site.Settings.TlsErrors = checkv1.TLSErrors_TLS_ERRORS_ADVISE
	}
	m.kumaContent(k)
	if m.kumaStatus(k); m.Site == nil {
		return
	}
	m.kumaRequest(k)
	for _, t := range k.Tags {
		name := t.Name
		if t.Value != "" {
			name += ":" + t.Value
		}
		m.tag(name)
	}
}

// kumaContent converts what the page must contain.
func (m *Monitor) kumaContent(k kumaMonitor) {
	switch {
	case k.Type == "keyword" && text(k.Keyword) != "" && bool(k.InvertKeyword):
		m.forbid(text(k.Keyword))
	case k.Type == "keyword" && text(k.Keyword) != "":
		m.require(text(k.Keyword))
	case k.Type == "json-query":
		m.leaveOut("the JSON query %s: Jetmon looks for texts only", text(k.JSONPath))
	case k.Type == "real-browser":
		m.leaveOut("the browser: Jetmon runs no scripts of pages")
	}
	if m.Site.Settings.Method == checkv1.Method_METHOD_HEAD && len(m.Site.Settings.RequiredTexts)+len(m.Site.Settings.ForbiddenTexts) > 0 {
		m.Site.Settings.Method = checkv1.Method_METHOD_GET
		m.leaveOut("the method HEAD: texts are in the answer to a GET")
	}
}

// kumaStatus converts which answers are good. Jetmon follows redirects, and takes the statuses
// below 400 as good.
func (m *Monitor) kumaStatus(k kumaMonitor) {
	redirects := slices.ContainsFunc(k.Accepted, func(s string) bool { return strings.HasPrefix(s, "3") })
	switch {
	case k.MaxRedirects != "0":
	case redirects:
		m.leaveOut("maxredirects 0 with accepted redirects: Jetmon follows them and judges the last answer")
	default:
		m.Site.Settings.RedirectPolicy = checkv1.RedirectPolicy_REDIRECT_POLICY_FAIL
	}
	odd := func(s string) bool { return !strings.HasPrefix(s, "2") && !strings.HasPrefix(s, "3") }
	switch {
	case len(k.Accepted) == 0 || !slices.ContainsFunc(k.Accepted, odd):
	case !slices.ContainsFunc(k.Accepted, func(s string) bool { return !odd(s) }):
		m.drop("it wants a status of %s, which Jetmon calls down", strings.Join(k.Accepted, ", "))
	default:
		m.leaveOut("the accepted statuses %s: Jetmon takes those below 400 as good", strings.Join(k.Accepted, ", "))
	}
}

// kumaRequest converts how the page is asked for.
func (m *Monitor) kumaRequest(k kumaMonitor) {
	if text(k.Body) != "" {
		m.leaveOut("the body of the request: Jetmon sends none")
	}
	if text(k.Headers) != "" {
		m.kumaHeaders(*k.Headers)
	}
	switch method := text(k.AuthMethod); {
	case (method == "" || method == "basic") && text(k.User) != "":
		m.basicAuth(*k.User, text(k.Password))
	case method != "" && method != "basic":
		m.leaveOut("the authentication by %s: Jetmon knows headers only", method)
	}
	if k.Proxy != "" {
		m.leaveOut("the proxy: Jetmon asks the site itself")
	}
}

// kumaHeaders converts headers, which are a JSON object of texts and numbers.
func (m *Monitor) kumaHeaders(text string) {
	var object map[string]any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&object) != nil {
		m.leaveOut("the headers, which are no JSON object of texts")
		return
	}
	values := map[string]string{}
	for name, value := range object {
		switch value.(type) {
		case string, json.Number, bool:
			values[name] = fmt.Sprint(value)
		default:
			m.leaveOut("the header %s, which is no text", name)
		}
	}
	m.headers(values)
}

// basicAuth converts a user's name and password.
func (m *Monitor) basicAuth(user, pass string) {
	m.header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+pass)))
	m.leaveOut("the secrecy of the password: it is in the header Authorization, which whoever may read sites sees")
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
