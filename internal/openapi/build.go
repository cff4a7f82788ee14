package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/internal/access"
)

// Generate returns the document of the services in files that have HTTP bindings, as JSON.
func Generate(files []*protogen.File) ([]byte, error) {
	doc := &Document{
		OpenAPI: "3.1.0",
		Info: Info{
			Title: "Jetmon", Version: "v1", Summary: "The uptime of web sites.", Contact: Contact{Name: "Jetmon", URL: "https://github.com/Automattic/jetmon"},
			Description: about, License: License{Name: "GPL-2.0-or-later", Identifier: "GPL-2.0-or-later"},
		},
		Servers:  []Server{{URL: "/", Description: "The gateway that this document is from."}},
		Security: []map[string][]string{{scheme: {}}},
	}
	doc.addComponents()
	b := builder{doc: doc, schemas: schemas{out: &doc.Components.Schemas}}
	for _, f := range files {
		if !f.Generate {
			continue
		}
		for _, s := range f.Services {
			if err := b.addService(s); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(doc.Tags, func(a, b Tag) int { return rank(a) - rank(b) })
	raw, err := encode(doc)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// rank is the place of a group among the others: what people look for comes first.
func rank(t Tag) int {
	order := []string{"SiteService", "OutageService", "HistoryService", "AdvisoryService", "IncidentService", "MaintenanceService", "SubscriptionService", "FleetService", "DiagnosisService", "ProbeService", "BadgeService", "JetpackMonitorService", "ProtectDashboardService", "JetpackAgencyService", "AccessService"}
	if i := slices.Index(order, t.Name); i >= 0 {
		return i
	}
	return len(order)
}

type builder struct {
	doc     *Document
	schemas schemas
}

func (b builder) addService(s *protogen.Service) error {
	tag := Tag{Name: string(s.Desc.Name()), Description: text(s.Comments.Leading)}
	for _, m := range s.Methods {
		rule, ok := proto.GetExtension(m.Desc.Options(), annotations.E_Http).(*annotations.HttpRule)
		if !ok || rule == nil {
			continue
		}
		c := newCall(m, rule)
		op, err := b.operation(c)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Desc.FullName(), err)
		}
		path, ok := b.doc.Paths.Get(c.path)
		if !ok {
			path = &Path{}
			b.doc.Paths.Set(c.path, path)
		}
		switch c.method {
		case "GET":
			path.Get = op
		case "POST":
			path.Post = op
		case "PATCH":
			path.Patch = op
		case "DELETE":
			path.Delete = op
		default:
			return fmt.Errorf("%s: method %q is not supported", m.Desc.FullName(), c.method)
		}
		if !slices.ContainsFunc(b.doc.Tags, func(t Tag) bool { return t.Name == tag.Name }) {
			b.doc.Tags = append(b.doc.Tags, tag)
		}
	}
	return nil
}

// call is one RPC as HTTP knows it.
type call struct {
	*protogen.Method
	rule         *annotations.HttpRule
	method, path string
	// bound are the paths of the fields in the path, by the names that they have there.
	bound     Members[string]
	wordPress bool
}

func newCall(m *protogen.Method, rule *annotations.HttpRule) call {
	c := call{Method: m, rule: rule}
	switch {
	case rule.GetGet() != "":
		c.method, c.path = "GET", rule.GetGet()
	case rule.GetPost() != "":
		c.method, c.path = "POST", rule.GetPost()
	case rule.GetPatch() != "":
		c.method, c.path = "PATCH", rule.GetPatch()
	case rule.GetDelete() != "":
		c.method, c.path = "DELETE", rule.GetDelete()
	}
	c.wordPress = strings.HasPrefix(c.path, "/wpcom/")
	for rest := c.path; ; {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			return c
		}
		field, tail, _ := strings.Cut(after, "}")
		name := field[strings.LastIndex(field, ".")+1:]
		c.bound.Set(name, field)
		c.path = strings.Replace(c.path, "{"+field+"}", "{"+name+"}", 1)
		rest = tail
	}
}

// watches reports whether a call's answer goes on without an end.
func (c call) watches() bool {
	return c.Desc.IsStreamingServer() && strings.HasSuffix(c.path, ":watch")
}

// goesOn reports whether a call's answer comes step by step, and ends.
func (c call) goesOn() bool {
	return c.Desc.IsStreamingServer() && c.method == "POST" && !c.Desc.IsStreamingClient()
}

// isCalendar reports whether the answer is a calendar.
func (c call) isCalendar() bool { return c.Desc.Name() == "GetMaintenanceCalendar" }

// isProtect reports whether refusals have the statuses that Jetpack's plugin knows.
func (c call) isProtect() bool { return c.Desc.Name() == "GetProtectUptime" }

// isPicture reports whether the answer is a picture.
func (c call) isPicture() bool { return c.Desc.Name() == "GetBadge" }

func (c call) streams() bool { return c.Desc.IsStreamingClient() || c.Desc.IsStreamingServer() }

// fullName is that of gRPC, as /package.Service/Method.
func (c call) fullName() string {
	return "/" + string(c.Parent.Desc.FullName()) + "/" + string(c.Desc.Name())
}

func (b builder) operation(c call) (*Operation, error) {
	rule, ok := access.RuleOf(c.fullName())
	if !ok {
		return nil, fmt.Errorf("package access has no rule for it")
	}
	first, all := summary(string(c.Desc.Name()), text(c.Comments.Leading))
	scope, security := scopeOf(rule), []map[string][]string{{scheme: {}}}
	if rule.Public {
		scope, security = "Everybody may call it.", []map[string][]string{}
	}
	op := &Operation{
		Tags: []string{string(c.Parent.Desc.Name())}, Summary: first,
		Description: all + "\n\n" + scope + " RPC: `" + c.fullName()[1:] + "`.",
		ID:          string(c.Desc.Name()),
		Security:    security,
	}
	example := examples()[string(c.Desc.Name())]
	if err := b.addParameters(op, c, example); err != nil {
		return nil, err
	}
	if err := b.addBody(op, c, example); err != nil {
		return nil, err
	}
	b.addResponses(op, c)
	op.Samples = []Sample{{Language: "Shell", Source: example.curl(c.method, c.path)}}
	return op, nil
}

// scopeOf says what a token must be good for.
func scopeOf(r access.Rule) string {
	if r.AnyToken {
		return "Scope: any."
	}
	return "Scope: `" + r.Scope.String() + "`."
}

// find follows a path of fields.
func find(m *protogen.Message, path string) *protogen.Field {
	first, rest, more := strings.Cut(path, ".")
	for _, f := range m.Fields {
		switch {
		case string(f.Desc.Name()) != first:
		case more:
			return find(f.Message, rest)
		default:
			return f
		}
	}
	return nil
}

func (b builder) addParameters(op *Operation, c call, example Example) error {
	for _, name := range c.bound.Names() {
		path, _ := c.bound.Get(name)
		f := find(c.Input, path)
		if f == nil {
			return fmt.Errorf("the path binds %s, which is no field", path)
		}
		schema := b.schemas.field(f)
		op.Parameters = append(op.Parameters, &Parameter{
			Name: name, In: "path", Required: true, Description: text(f.Comments.Leading), Schema: schema, Example: example.value(name, schema),
		})
	}
	for _, f := range c.Input.Fields {
		name := string(f.Desc.Name())
		if !c.inQuery(f) {
			continue
		}
		if name == keyField {
			op.Parameters = append(op.Parameters, Ref{parameterPath + "IdempotencyKey"})
			continue
		}
		schema := b.schemas.field(f)
		p := &Parameter{Name: name, In: "query", Description: text(f.Comments.Leading), Schema: schema, Example: example.value(name, schema)}
		if r := p.Schema.MinItems; r != nil && *r > 0 {
			p.Required = true
		}
		op.Parameters = append(op.Parameters, p)
	}
	switch {
	case c.streams():
	case c.method == "GET":
		op.Parameters = append(op.Parameters, Ref{parameterPath + "IfNoneMatch"})
	case c.hasETag():
		op.Parameters = append(op.Parameters, Ref{parameterPath + "IfMatch"})
	}
	op.Parameters = append(op.Parameters, Ref{parameterPath + "RequestID"})
	return nil
}

const (
	keyField  = "idempotency_key"
	etagField = "etag"
)

// inQuery reports whether a field of the request is a parameter of the query, by the gateway's
// rule: what is in neither path nor body, and no message of ours.
func (c call) inQuery(f *protogen.Field) bool {
	name := string(f.Desc.Name())
	if _, bound := c.bound.Get(name); bound || name == c.rule.GetBody() || c.rule.GetBody() == "*" || f.Desc.IsMap() {
		return false
	}
	return f.Message == nil || f.Message.Desc.ParentFile().Package() == "google.protobuf"
}

// hasETag reports whether the request has the etag of what it changes.
func (c call) hasETag() bool {
	return slices.ContainsFunc(c.Input.Fields, func(f *protogen.Field) bool {
		if string(f.Desc.Name()) == etagField {
			return true
		}
		return c.method == "PATCH" && f.Message != nil && !f.Desc.IsList() && f.Message.Desc.Fields().ByName(etagField) != nil
	})
}

func (b builder) addBody(op *Operation, c call, example Example) error {
	name := c.rule.GetBody()
	if name == "" {
		return nil
	}
	body := &Body{Required: true}
	op.RequestBody = body
	if c.Desc.IsStreamingClient() {
		row := c.Input.Fields[0].Message
		body.Description = "A file of sites: NDJSON, with one as JSON on each line, or CSV, whose first line names the columns, " +
			"as url,blog_id,check_interval,paused,tags. It may be compressed (Content-Encoding: gzip)."
		body.Content.Set(ndjson, Media{Schema: b.newOf(row)})
		body.Content.Set(csv, Media{Schema: &Schema{Type: "string"}, Example: "url,blog_id,tags\nhttps://example.com/,7,shop\n"})
		return nil
	}
	f := find(c.Input, name)
	if f == nil || f.Message == nil {
		return fmt.Errorf("the body is %s, which is no message", name)
	}
	refer := b.schemas.ref
	if c.method == "POST" {
		refer = b.newOf
	}
	var value any
	if example.Body != "" {
		value = json.RawMessage(example.Body)
	}
	body.Content.Set(jsonType, Media{refer(f.Message), value})
	return nil
}

// newOf refers to the schema of a new resource: what a caller can say of it, with what it must.
func (b builder) newOf(m *protogen.Message) *Schema {
	required := requiredOf(m)
	if len(required) == 0 {
		return b.schemas.ref(m)
	}
	name := "New" + string(m.Desc.Name())
	if _, ok := b.schemas.out.Get(name); !ok {
		out := b.schemas.message(m)
		out.Required = required
		out.Properties.Delete(func(p *Schema) bool { return p.ReadOnly })
		b.schemas.out.Set(name, out)
	}
	return &Schema{Ref: schemaPath + name}
}

const (
	jsonType = "application/json"
	ndjson   = "application/x-ndjson"
	csv      = "text/csv"
	ical     = "text/calendar"
	svg      = "image/svg+xml"
)

// requiredOf lists the fields that a new resource must have.
func requiredOf(m *protogen.Message) (names []string) {
	for _, f := range m.Fields {
		if slices.Contains(behavior(f), annotations.FieldBehavior_REQUIRED) {
			names = append(names, string(f.Desc.Name()))
		}
	}
	return names
}

// answer is the schema of the answer and what is said of it.
func (b builder) answer(c call) (*Schema, string) {
	said := text(c.Output.Comments.Leading)
	name := c.rule.GetResponseBody()
	if name == "" {
		return b.schemas.ref(c.Output), said
	}
	f := find(c.Output, name)
	if f.Desc.Kind() == protoreflect.MessageKind && !f.Desc.IsList() && !f.Desc.IsMap() {
		said = text(f.Message.Comments.Leading)
	}
	return b.schemas.field(f), said
}
