package openapi

import "strconv"

const (
	scheme        = "token"
	parameterPath = "#/components/parameters/"
	headerPath    = "#/components/headers/"
	responsePath  = "#/components/responses/"
)

// about is the description of the whole API.
const about = "Sites, outages and the fleet of Jetmon, and the questions of WordPress.com. 64-bit numbers are strings in JSON, " +
	"durations look like \"300s\", times are RFC 3339. Unknown fields and parameters are refused. A request has at most 1 MiB, " +
	"10,000 values and 128 KiB of what the coordinator gets; an error names the first 10 fields at fault and has at most 8 KiB. " +
	"Every answer has an `X-Request-Id`."

// refusal is an answer to a request that is refused.
type refusal struct {
	status     int
	name, when string
	header     string // that it has
}

// refusals are all refusals, in the order of their statuses.
func refusals() []refusal {
	return []refusal{
		{400, "BadRequest", "The request is malformed or has a value that is refused: `details` and `message` name the field. Or the call cannot be carried out as things are (FAILED_PRECONDITION): `message` says why.", ""},
		{401, "Unauthorized", "No token, or one that is not accepted.", "WWW-Authenticate"},
		{403, "Forbidden", "The token's scopes or blogs do not allow this, or a page of another site asks.", ""},
		{404, "NotFound", "There is no such thing, or it is in a blog that is not the token's.", ""},
		{408, "RequestTimeout", "The body did not arrive in time.", ""},
		{409, "Conflict", "It exists already (ALREADY_EXISTS), or somebody else changed it meanwhile (ABORTED).", ""},
		{410, "Gone", "What is asked for is kept no longer: begin anew.", ""},
		{412, "PreconditionFailed", "It has been edited since it was read with the etag of If-Match.", ""},
		{413, "ContentTooLarge", "The body is too large.", ""},
		{415, "UnsupportedMediaType", "The body has a Content-Type or Content-Encoding that is not read here.", ""},
		{421, "MisdirectedRequest", "The gateway does not answer to this Host.", ""},
		{429, "TooManyRequests", "The caller asks too often, or too much at once.", "Retry-After"},
		{502, "BadGateway", "A coordinator or the database cannot be reached, or did not answer in time. Try again.", ""},
		{503, "Unavailable", "A coordinator or the database cannot be reached. Try again.", "Retry-After"},
		{504, "Timeout", "The answer did not come in time.", ""},
	}
}

// refused reports whether a call may be refused with a status.
func (c call) refused(status int) bool {
	writes := c.method != "GET"
	switch status {
	case 404:
		return len(c.bound.Names()) > 0
	case 408, 413, 415:
		return c.rule.GetBody() != ""
	case 401:
		return !c.isProtect() && !c.isPicture()
	case 503, 504:
		return !c.isProtect()
	case 502:
		return c.isProtect()
	case 409:
		return c.isProtect() || writes && c.rule.GetBody() != "" && !c.Desc.IsStreamingClient() || c.hasETag()
	case 410:
		return c.watches()
	case 412:
		return writes && c.hasETag()
	}
	return true
}

func (b builder) addResponses(op *Operation, c call) {
	good := &Response{}
	good.Headers.Set("X-Request-Id", Ref{headerPath + "RequestID"})
	good.Headers.Set("RateLimit", Ref{headerPath + "RateLimit"})
	good.Headers.Set("RateLimit-Policy", Ref{headerPath + "RateLimitPolicy"})
	switch {
	case c.Desc.IsStreamingClient():
		good.Description = "NDJSON: an answer as JSON on each line, in the order of the rows. A last line {\"error\": Status} says that the import could not go on."
		good.Content.Set(ndjson, Media{Schema: b.schemas.ref(c.Output)})
	case c.watches():
		good.Description = "NDJSON, a response as JSON on each line, or server-sent events where the request accepts text/event-stream, with a response " +
			"as the data of each. It goes on without an end; a last line {\"error\": Status}, or event \"end\", says why it ended."
		schema := b.schemas.ref(c.Output)
		good.Content.Set(ndjson, Media{Schema: schema})
		good.Content.Set("text/event-stream", Media{Schema: &Schema{Type: "string"}})
	case c.goesOn():
		good.Description = "NDJSON, a step as JSON on each line, as soon as it is made. A last line {\"error\": Status} says that the answer is not whole."
		good.Content.Set(ndjson, Media{Schema: b.schemas.ref(c.Output)})
	case c.streams():
		good.Description = "NDJSON, with a message as JSON on each line, or CSV, whose first line names the columns. The connection breaks when the export cannot go on."
		good.Content.Set(ndjson, Media{Schema: b.schemas.ref(c.Output.Fields[0].Message)})
		good.Content.Set(csv, Media{Schema: &Schema{Type: "string"}})
	case c.isCalendar():
		good.Description = "The calendar, RFC 5545."
		good.Headers.Set("ETag", Ref{headerPath + "ETag"})
		good.Content.Set(ical, Media{Schema: &Schema{Type: "string"}})
	case c.isPicture():
		good.Description = "The picture, SVG. It may be kept for five minutes, and any page may show it."
		good.Headers.Set("ETag", Ref{headerPath + "ETag"})
		good.Content.Set(svg, Media{Schema: &Schema{Type: "string"}})
	default:
		schema, said := b.answer(c)
		good.Description = said
		good.Headers.Set("ETag", Ref{headerPath + "ETag"})
		good.Content.Set(jsonType, Media{Schema: schema})
	}
	op.Responses.Set("200", good)
	if c.method == "GET" && !c.streams() {
		op.Responses.Set("304", Ref{responsePath + "NotModified"})
	}
	for _, r := range refusals() {
		if !c.refused(r.status) {
			continue
		}
		op.Responses.Set(strconv.Itoa(r.status), b.refusal(r, c.wordPress))
	}
}

// refusal refers to a refusal, in WordPress's shape or in ours.
func (b builder) refusal(r refusal, wordPress bool) Ref {
	name, schema := r.name, schemaPath+"Status"
	if wordPress {
		name, schema = "WordPress"+r.name, schemaPath+"WordPressError"
	}
	if _, ok := b.doc.Components.Responses.Get(name); !ok {
		out := &Response{Description: r.when}
		if r.header != "" {
			out.Headers.Set(r.header, Ref{headerPath + r.header})
		}
		out.Content.Set(jsonType, Media{Schema: &Schema{Ref: schema}})
		b.doc.Components.Responses.Set(name, out)
	}
	return Ref{responsePath + name}
}

// addComponents adds what no proto says: errors, headers, and how callers prove who they are.
func (d *Document) addComponents() {
	c := &d.Components
	c.SecuritySchemes.Set(scheme, SecurityScheme{Type: "http", Scheme: "bearer",
		Description: "A token of the API: `jetmon tokens create`, or POST /v1/tokens. It has scopes; `admin` includes all."})
	c.Schemas.Set("Status", statusSchema())
	c.Schemas.Set("WordPressError", wordPressSchema())
	c.Responses.Set("NotModified", &Response{Description: "What a tag of If-None-Match is of. There is no body."})
	for _, p := range []struct{ key, name, description, example string }{
		{"RequestID", "X-Request-Id", "1 to 128 printable characters of ASCII without spaces, by which all roles log what they do for this request.", "order-66"},
		{"IfNoneMatch", "If-None-Match", "Entity tags of answers that the caller has, or *: 304 instead of one of them.", `"kGx5nQ3sXw0J"`},
		{"IfMatch", "If-Match", "Entity tags, at most 8, of which what is changed must have one, else 412. Only the part before the dot counts, which edits change; checks do not.", `"Zm9vYmFyYmF6.kGx5nQ3sXw0J"`},
		{"IdempotencyKey", "Idempotency-Key", "Any text of the caller's own, as a UUID, at most 255 characters of ASCII. A second request with the same key within 24 h adds nothing, and answers with what the first one added.", "9f1c2d7e-6a34-4d0e-a7a2-0f5f3f0f2a11"},
	} {
		c.Parameters.Set(p.key, &Parameter{Name: p.name, In: "header", Description: p.description, Schema: &Schema{Type: "string"}, Example: p.example})
	}
	for _, h := range []struct{ key, description string }{
		{"RequestID", "The id of the request: the caller's own, or a new one."},
		{"RateLimit", "How many requests are left, and for how long."},
		{"RateLimitPolicy", "How many requests a caller may make, in how long."},
		{"ETag", "Entity tag of the answer: for If-None-Match, and of a resource for If-Match."},
		{"Retry-After", "Seconds after which another try is worth it."},
		{"WWW-Authenticate", "How to prove who one is."},
	} {
		c.Headers.Set(h.key, &Header{Description: h.description, Schema: &Schema{Type: "string"}})
	}
}

// statusSchema is that of google.rpc.Status, as errors have it.
func statusSchema() *Schema {
	s := &Schema{Type: "object", Description: "An error: google.rpc.Status.", Required: []string{"code", "message", "details"}}
	s.Properties.Set("code", &Schema{Type: "integer", Format: "int32", Description: "Code of gRPC, as 3 for INVALID_ARGUMENT."})
	s.Properties.Set("message", &Schema{Type: "string", Description: "What is wrong, for people."})
	s.Properties.Set("details", &Schema{Type: "array", Description: "google.rpc.BadRequest names the fields at fault; google.rpc.ErrorInfo has a reason for programs; google.rpc.RequestInfo the request's id.",
		Items: wellKnown("google.protobuf.Any")})
	return s
}

// wordPressSchema is that of WP_Error, as errors under /wpcom have it.
func wordPressSchema() *Schema {
	s := &Schema{Type: "object", Description: "An error in the shape of WordPress's REST API.", Required: []string{"code", "message", "data"}}
	s.Properties.Set("code", &Schema{Type: "string", Description: "Which error, as rest_invalid_param, rest_forbidden or unknown_blog."})
	s.Properties.Set("message", &Schema{Type: "string", Description: "What is wrong, for people."})
	data := &Schema{Type: "object", Required: []string{"status"}}
	data.Properties.Set("status", &Schema{Type: "integer", Description: "The HTTP status."})
	data.Properties.Set("params", &Schema{Type: "object", Description: "By parameter, what is wrong with it.", Additional: &Schema{Type: "string"}})
	s.Properties.Set("data", data)
	return s
}
