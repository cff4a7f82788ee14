package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
)

// binding is a route of the contract, as its proto states it.
type binding struct {
	method, template string
	input            protoreflect.MessageDescriptor
	body             protoreflect.MessageDescriptor // nil for none
	stream           bool                           // the body is a file
}

func bindings() (all []binding) {
	for _, file := range []protoreflect.FileDescriptor{
		monitorv1.File_jetmon_monitor_v1_site_service_proto,
		monitorv1.File_jetmon_monitor_v1_outage_service_proto,
		monitorv1.File_jetmon_monitor_v1_history_service_proto,
		monitorv1.File_jetmon_monitor_v1_advisory_service_proto,
		monitorv1.File_jetmon_monitor_v1_incident_service_proto,
		monitorv1.File_jetmon_monitor_v1_maintenance_service_proto,
		monitorv1.File_jetmon_monitor_v1_fleet_service_proto,
		monitorv1.File_jetmon_monitor_v1_diagnosis_service_proto,
		monitorv1.File_jetmon_monitor_v1_access_service_proto,
		wpcomv1.File_jetmon_wpcom_v1_jetpack_monitor_service_proto,
	} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				m := methods.Get(j)
				rule, _ := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
				b := binding{input: m.Input()}
				for method, template := range map[string]string{
					"GET": rule.GetGet(), "POST": rule.GetPost(), "PATCH": rule.GetPatch(), "DELETE": rule.GetDelete(),
				} {
					if template != "" {
						b.method, b.template = method, template
					}
				}
				b.stream = m.IsStreamingClient()
				if rule.GetBody() != "" && !b.stream {
					b.body = m.Input().Fields().ByName(protoreflect.Name(rule.GetBody())).Message()
				}
				all = append(all, b)
			}
		}
	}
	return all
}

// path fills the fields of a template with a value.
func (b binding) path(value string) string {
	out := ""
	for rest := b.template; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		out += before
		if rest = ""; found {
			_, rest, _ = strings.Cut(after, "}")
			out += value
		}
	}
	return out
}

// good is a path at which something is, with a query it needs.
func (b binding) good() string {
	if strings.HasSuffix(b.template, ":batchGet") {
		return b.path("1") + "?site_ids=1"
	}
	return b.path("1")
}

// goodBody is a body that can be valid; empty where there is none.
func (b binding) goodBody() string {
	switch {
	case b.body == nil:
		return ""
	case b.body.Name() != "Site":
		if strings.HasSuffix(b.template, "-settings") {
			return `{"monitor_active":true}`
		}
		return `{"name":"a"}`
	}
	return `{"url":"https://a.example/"}`
}

// request is a bad request, as bytes.
type request struct {
	name, raw string
	// reason is in the answer's message.
	reason string
}

// spelled writes a request; header is lines of its head.
func spelled(method, target, body string, header ...string) string {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\n", method, target)
	typed := false
	for _, line := range header {
		head += line + "\r\n"
		typed = typed || strings.HasPrefix(line, "Content-Type:")
	}
	if !typed && body != "" {
		head += "Content-Type: application/json\r\n"
	}
	if body != "" {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	return head + "\r\n" + body
}

// badRequests are the bad requests that follow from the contract, and those of HTTP.
func badRequests() (all []request) {
	for _, b := range bindings() {
		add := func(reason, name, raw string) {
			all = append(all, request{b.method + " " + b.template + ": " + name, raw, reason})
		}
		b.badMethods(add)
		b.badPaths(add)
		b.badQueries(add)
		if !b.stream { // its body is a file, tested where it is read
			b.badHeaders(add)
		}
		if b.body != nil {
			b.badBodies(add)
			b.badFields(add, b.body, "", "%s")
		}
	}
	return all
}

type adder func(reason, name, raw string)

func (b binding) badMethods(add adder) {
	for _, method := range []string{"PUT", "TRACE", "BREW", "OPTIONS", "PROPFIND", "get"} {
		add("not allowed here", "method "+method, spelled(method, b.good(), ""))
	}
}

func (b binding) badPaths(add adder) {
	path := b.path("1")
	last := strings.LastIndex(path, "/")
	for name, p := range map[string]string{
		"a slash too many": path + "/", "two slashes": path[:last] + "/" + path[last:], "an encoded slash": path[:last] + "%2F" + path[last+1:],
		"one in lower case": path[:last] + "%2f" + path[last+1:], "a parameter": path[:last] + ";x=1" + path[last:], "a prefix": "/x" + path,
		"a backslash": path[:last] + `\` + path[last+1:], "another version": "/v9" + strings.TrimPrefix(strings.TrimPrefix(path, "/v1"), "/wpcom/v2"),
	} {
		add("", name, spelled(b.method, p, b.goodBody()))
	}
	for name, p := range map[string]string{
		"a way up": path[:last] + "/../" + path[last+1:], "a way nowhere": "/." + path, "an encoded letter": "/%" + fmt.Sprintf("%02x", path[1]) + path[2:],
		"an encoded way up": path[:last] + "/%2e%2e" + path[last:], "a NUL": path + "%00", "a line's end": path + "%0d%0aX:%20y", "no UTF-8": path + "%ff",
	} {
		add("path", name, spelled(b.method, p, b.goodBody()))
	}
	add("not HTTP", "no encoding", spelled(b.method, path+"%zz", b.goodBody()))
	if verb := strings.LastIndex(path, ":"); verb > 0 {
		add("", "an encoded colon", spelled(b.method, path[:verb]+"%3A"+path[verb+1:], b.goodBody()))
	}
	if !strings.Contains(b.template, "id}") {
		return
	}
	for _, id := range []string{"x", "0", "-1", "01", "1.0", "1e3", "+1", "0x1", "%201", "1%20", "9223372036854775808", strings.Repeat("9", 400), "null", "%D9%A1", "1:x", "*", "1%2F2", "true"} {
		add("_id", "the id "+id, spelled(b.method, b.path(id), b.goodBody()))
	}
}

func (b binding) badQueries(add adder) {
	join := "?"
	if strings.Contains(b.good(), "?") {
		join = "&"
	}
	ask := func(reason, name, query string) {
		add(reason, "query "+name, spelled(b.method, b.good()+join+query, b.goodBody()))
	}
	ask("query", "malformed", "a=%zz")
	ask("query", "with a semicolon", "a;b")
	ask("unknown query parameter", "unknown", "nothing=1")
	ask("unknown query parameter", "of a nested field", "site.url=x")
	ask("unknown query parameter", "with a line's end in its name", "a%0d%0ab=1")
	for i := range b.input.Fields().Len() {
		fd := b.input.Fields().Get(i)
		name := string(fd.Name())
		if fd.Message() != nil && fd.Message().ParentFile().Package() != "google.protobuf" || strings.Contains(b.template, "{"+name) {
			continue
		}
		for _, v := range badTexts(fd) {
			ask(name, name+" is "+v, name+"="+v)
		}
		if !fd.IsList() {
			ask(name, name+" twice", name+"=1&"+name+"=1")
		}
		if fd.JSONName() != name {
			ask(name, name+" by both names", name+"=1&"+fd.JSONName()+"=1")
		}
	}
}

// badTexts are texts in a query that are no values of a field.
func badTexts(fd protoreflect.FieldDescriptor) []string {
	all := []string{"%ff", "%00", "%0d%0a"}
	switch fd.Kind() {
	case protoreflect.BoolKind, protoreflect.EnumKind:
		return append(all, "", "1", "yes", "TRUE", "-1", "99", "null")
	case protoreflect.StringKind:
		return append(all, strings.Repeat("x", 5000))
	case protoreflect.MessageKind:
		return append(all, "", "soon", "2026-11-30", "-", "1%3B2")
	}
	return append(all, "", "x", "1.5", "01", "1e2", "-99", "99999999999999999999", "0x1", "null", "%2B1")
}

func (b binding) badHeaders(add adder) {
	with := func(reason, name string, header ...string) {
		add(reason, name, spelled(b.method, b.path("0"), b.goodBody(), header...))
	}
	add("Host", "another host", strings.Replace(spelled(b.method, b.good(), b.goodBody()), "Host: localhost", "Host: evil.example", 1))
	if b.method != http.MethodGet {
		with("Origin", "another site's page", "Sec-Fetch-Site: cross-site")
		with("Origin", "an older browser's", "Origin: https://evil.example")
	}
	with("not HTTP", "a NUL in a header", "X-A: \x00")
	with("not HTTP", "a header that is none", "X A: b")
	with("at most", "a header too long", "X-A: "+strings.Repeat("x", 50_000))
	with("Expect", "an expectation", "Expect: miracles")
	with("Transfer-Encoding", "a coding of the transfer", "Transfer-Encoding: br")
	body := `{"nothing":1}`
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=utf-16", "a/b/c", ""} {
		add("Content-Type", "a body of type "+kind, spelled(b.method, b.good(), body, "Content-Type: "+kind))
	}
	add("Content-Encoding", "a coding of the body", spelled(b.method, b.good(), body, "Content-Encoding: br"))
	add("body", "no gzip", spelled(b.method, b.good(), body, "Content-Encoding: gzip"))
	add("nothing", "forged metadata", spelled(b.method, b.good(), body, "Grpc-Metadata-Authorization: Bearer x", "Grpc-Timeout: 0n", "Grpc-Metadata-X-Bin: !", "X-Forwarded-For: 1.2.3.4", "X-Http-Method-Override: GET"))
	add("body", "ten megabytes", spelled(b.method, b.good(), `{"url":"`+strings.Repeat("x", 10_000_000)+`"}`))
	add("body", "a chunk of no length", spelled(b.method, b.good(), "", "Content-Type: application/json", "Transfer-Encoding: chunked")+"zz\r\n")
}

func (b binding) badBodies(add adder) {
	for name, body := range map[string]string{
		"a list": `[{}]`, "a text": `"x"`, "a number": `1`, "null": `null`, "true": `true`, "spaces": ` `, "something after it": `{"paused":true} {}`,
		"cut short": `{"paused":`, "no JSON": `paused=true`, "no UTF-8": "{\"url\":\"\xff\"}", "a NUL": "{\"url\":\"\x00\"}", "a byte order mark": "\ufeff{}",
		"deep lists": strings.Repeat("[", 100_000), "deep objects": strings.Repeat(`{"settings":`, 9000) + "1" + strings.Repeat("}", 9000),
		"a comment": `{"paused":true/**/}`, "a comma too many": `{"paused":true,}`, "single quotes": `{'paused':true}`, "NaN": `{"blog_id":NaN}`,
		"an end of line in a text": "{\"url\":\"a\nb\"}", "many values": `{"settings":{"required_texts":[` + strings.Repeat(`"",`, 50_000) + `""]}}`,
	} {
		add("", "body is "+name, spelled(b.method, b.good(), body))
	}
	if b.body.Name() != "Site" {
		return
	}
	for name, c := range map[string][2]string{
		"a URL with a line's end": {"url", `{"url":"https://a.example/\r\nX: y"}`}, "one without a scheme": {"url", `{"url":"a.example"}`},
		"one of another scheme": {"url", `{"url":"file:///etc/passwd"}`}, "one of a megabyte": {"url", `{"url":"https://a.example/` + strings.Repeat("x", 900_000) + `"}`},
		"one that is just too long": {"url", `{"url":"https://a.example/` + strings.Repeat("x", 300) + `"}`}, "a negative blog": {"blog_id", `{"url":"https://a.example/","blog_id":-1}`},
		"an interval that is too short": {"check_interval", `{"url":"https://a.example/","check_interval":"1s"}`}, "one that is too long": {"check_interval", `{"url":"https://a.example/","check_interval":"99999s"}`},
		"a header with a line's end": {"settings.headers", `{"url":"https://a.example/","settings":{"headers":[{"name":"X-A","value":"b\r\nc: d"}]}}`},
	} {
		add(c[0], name, spelled(b.method, b.good(), c[1]))
	}
}

// badFields adds bodies in which one field has a value that is none of its type. frame has
// place for the members of the message at path.
func (b binding) badFields(add adder, m protoreflect.MessageDescriptor, path, frame string) {
	send := func(name, members string) {
		add(strings.TrimSuffix(path, "."), "body with "+path+name, spelled(b.method, b.good(), fmt.Sprintf(frame, "{"+members+"}")))
	}
	send("an unknown field", `"nothing":1`)
	send("an unknown empty one", `"":1`)
	for i := range m.Fields().Len() {
		fd := m.Fields().Get(i)
		name := string(fd.Name())
		for _, v := range badValues(fd) {
			send(name+" being "+v, fmt.Sprintf("%q:%s", name, v))
		}
		send(name+" twice", fmt.Sprintf("%q:null,%q:null", name, name))
		if fd.JSONName() != name {
			send(name+" by both names", fmt.Sprintf("%q:null,%q:null", name, fd.JSONName()))
		}
		if inner := fd.Message(); inner != nil && !fd.IsList() && !fd.IsMap() && inner.ParentFile().Package() == m.ParentFile().Package() && strings.Count(path, ".") < 1 {
			b.badFields(add, inner, path+name+".", fmt.Sprintf(frame, fmt.Sprintf(`{%q:%%s}`, name)))
		}
	}
}

// badValues are values in JSON that are none of a field.
func badValues(fd protoreflect.FieldDescriptor) []string {
	var all []string
	switch {
	case fd.IsMap():
		return []string{`[]`, `"x"`, `{"a":[]}`}
	case fd.Kind() == protoreflect.BoolKind:
		all = []string{`"true"`, `1`, `{}`, `[true]`}
	case fd.Kind() == protoreflect.EnumKind:
		all = []string{`"NONE_OF_THEM"`, `"method_get"`, `1.5`, `true`, `{}`}
	case fd.Kind() == protoreflect.StringKind:
		all = []string{`1`, `true`, `{}`, `"\ud800"`}
	case fd.Kind() == protoreflect.MessageKind:
		all = []string{`1`, `"x"`, `true`}
	default:
		all = []string{`"x"`, `1.5`, `true`, `{}`, `99999999999999999999`, `1e400`, `""`}
	}
	if fd.IsList() {
		lists := []string{`"x"`, `{}`, `7`}
		for _, v := range all {
			if !json.Valid([]byte(v)) || slices.Contains(lists, v) {
				continue
			}
			lists = append(lists, "["+v+"]")
		}
		return lists
	}
	return all
}
