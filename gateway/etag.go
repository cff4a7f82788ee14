package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/internal/fault"
)

// An answer's entity tag is a hash of its body. That of an answer that holds a resource with
// an etag of its own, which says what a caller can edit, has this before the hash and a dot.
// If-None-Match compares the whole, and If-Match the part before the dot: an edit is refused
// because of an edit, and not because the site was checked meanwhile.
const (
	etagField = "etag"
	// etagMismatch is the reason of an error for a resource that was edited since.
	etagMismatch = "ETAG_MISMATCH"
	// noTag is an etag that no resource has, in place of tags that match none.
	noTag = "-"
	// maxTags bounds the tags of If-Match, maxTagBytes an etag of a resource.
	maxTags     = 8
	maxTagBytes = 64
	hashBytes   = 9
)

type exchangeKey struct{}

// exchange is what a call's preconditions ask for, and what its answer is tagged with.
type exchange struct {
	// match are the etags of If-Match, of which the resource must have one; none when there is
	// no such header, or for "*".
	match []string
	// noneMatch are the tags of If-None-Match, or "*".
	noneMatch []string
	// key is the Idempotency-Key, "" for none.
	key string
	// reads means that the call changes nothing.
	reads bool
	// etag is that of the resource in the answer, if it has one.
	etag string
	// keep says who may keep the answer, and for how long; without it each use asks again.
	keep string
}

// reading returns the exchange of a GET. It changes nothing, whatever it is conditional on; tags
// that cannot be read match nothing.
func reading(req *http.Request) *exchange {
	noneMatch, _ := tagsOf(req.Header, "If-None-Match", strings.TrimSpace)
	return &exchange{noneMatch: noneMatch, reads: true}
}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// exchange reads the preconditions of a request. It refuses one that could not be kept.
func (r *route) exchange(req *http.Request) (*exchange, error) {
	if r.method == http.MethodGet {
		return reading(req), nil
	}
	if len(req.Header.Values("If-None-Match")) > 0 {
		return nil, fault.InvalidField("If-None-Match", "is for GET")
	}
	key, err := r.idempotencyKey(req.Header)
	if err != nil {
		return nil, err
	}
	if len(req.Header.Values("If-Match")) == 0 {
		return &exchange{key: key}, nil
	}
	if way := etagIn(r.input); way == nil || r.method == http.MethodPost && len(way) > 1 { // a resource that is added has no etag yet
		return nil, fault.InvalidField("If-Match", "is for changing or deleting what has an etag")
	}
	match, err := tagsOf(req.Header, "If-Match", editTag)
	if err != nil || slices.Equal(match, []string{"*"}) {
		match = nil
	}
	return &exchange{match: match}, err
}

// tagsOf returns the entity tags in a header, each as read makes it; "*" alone stands for all.
func tagsOf(h http.Header, name string, read func(tag string) string) (tags []string, err error) {
	if len(h.Values(name)) == 0 {
		return nil, nil
	}
	bad := fault.InvalidField(name, `must be * or entity tags in quotation marks, as "x", "y"; %d at most`, maxTags)
	rest := strings.TrimSpace(strings.Join(h.Values(name), ","))
	if rest == "*" {
		return []string{rest}, nil
	}
	for rest = strings.TrimLeft(rest, ", \t"); rest != ""; rest = strings.TrimLeft(rest, ", \t") {
		weak, opaque := "", rest
		if after, ok := strings.CutPrefix(rest, "W/"); ok {
			weak, opaque = "W/", after
		}
		if !strings.HasPrefix(opaque, `"`) {
			return nil, bad
		}
		end := strings.IndexByte(opaque[1:], '"')
		if end < 0 || len(tags) == maxTags {
			return nil, bad
		}
		tags = append(tags, read(weak+opaque[:end+2]))
		if rest = strings.TrimLeft(opaque[end+2:], " \t"); rest != "" && rest[0] != ',' {
			return nil, bad
		}
	}
	if len(tags) == 0 {
		return nil, bad
	}
	return tags, nil
}

// editTag returns the etag of a resource in an entity tag. A weak tag matches none, and a star
// in quotation marks is no star.
func editTag(tag string) string {
	if strings.HasPrefix(tag, "W/") {
		return noTag
	}
	etag, _, _ := strings.Cut(strings.Trim(tag, `"`), ".")
	if etag == "" || etag == "*" || len(etag) > maxTagBytes || !utf8.ValidString(etag) { // which gRPC cannot carry
		return noTag
	}
	return etag
}

// etagIn returns the fields that lead to the etag in a request or an answer: its own, or that
// of a resource in it.
func etagIn(m protoreflect.MessageDescriptor) (way []protoreflect.FieldDescriptor) {
	if fd := m.Fields().ByName(etagField); fd != nil {
		return []protoreflect.FieldDescriptor{fd}
	}
	for i := range m.Fields().Len() {
		fd := m.Fields().Get(i)
		if fd.Message() == nil || fd.IsList() || fd.IsMap() {
			continue
		}
		if inner := fd.Message().Fields().ByName(etagField); inner != nil {
			return []protoreflect.FieldDescriptor{fd, inner}
		}
	}
	return nil
}

// noteETag notes the etag of the resource in an answer.
func noteETag(ctx context.Context, _ http.ResponseWriter, answer proto.Message) error {
	x := exchangeOf(ctx)
	if x == nil {
		return nil
	}
	m := answer.ProtoReflect()
	way := etagIn(m.Descriptor())
	for i, fd := range way {
		if i == len(way)-1 {
			x.etag = m.Get(fd).String()
		} else {
			m = m.Get(fd).Message()
		}
	}
	return nil
}

// conditional is a connection over which a call is made only for a resource that has one of
// the etags that its caller names.
type conditional struct{ grpc.ClientConnInterface }

// Invoke makes the call with one etag after the other, until the resource has it: the
// coordinator compares and edits at once.
func (c conditional) Invoke(ctx context.Context, method string, args, reply any, o ...grpc.CallOption) error {
	x := exchangeOf(ctx)
	req, ok := args.(proto.Message)
	if x != nil && ok && x.key != "" {
		if err := setKey(req.ProtoReflect(), x.key); err != nil {
			return err
		}
	}
	if x == nil || !ok || len(x.match) == 0 {
		return c.ClientConnInterface.Invoke(ctx, method, args, reply, o...)
	}
	way := etagIn(req.ProtoReflect().Descriptor())
	holder := req.ProtoReflect()
	for _, fd := range way[:len(way)-1] {
		holder = holder.Mutable(fd).Message()
	}
	etag := way[len(way)-1]
	tags := x.match
	if own := holder.Get(etag).String(); own != "" && slices.Contains(tags, own) {
		tags = []string{own}
	} else if own != "" {
		tags = []string{noTag}
	}
	var err error
	for _, tag := range tags {
		holder.Set(etag, protoreflect.ValueOfString(tag))
		if err = c.ClientConnInterface.Invoke(ctx, method, args, reply, o...); !isMismatch(fault.Status(err)) {
			return err
		}
	}
	return err
}

// isMismatch reports whether a resource was edited since its caller read it.
func isMismatch(s *status.Status) bool { return reasonOf(s) == etagMismatch }

// reasonOf returns the reason of an error, in google.rpc.ErrorInfo; empty when it has none.
func reasonOf(s *status.Status) string {
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// taggingWriter tags a good answer, and leaves out the body that its reader has already. The
// generated code writes a body at once.
type taggingWriter struct {
	http.ResponseWriter
	x     *exchange
	other bool // another than a good answer
}

// Unwrap returns the inner writer, which knows the shape of errors.
func (w *taggingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader passes on the status of another than a good answer, which is not tagged.
func (w *taggingWriter) WriteHeader(code int) {
	if w.other = code != http.StatusOK; w.other {
		w.ResponseWriter.WriteHeader(code)
	}
}

// Write tags the body and passes it on.
func (w *taggingWriter) Write(body []byte) (int, error) {
	if w.other || !w.x.reads && w.x.etag == "" {
		return w.ResponseWriter.Write(body)
	}
	h := w.Header()
	tag := tagOf(w.x.etag, body)
	h.Set("ETag", tag)
	h.Set("Cache-Control", cmp.Or(w.x.keep, "private, no-cache"))
	for _, theirs := range w.x.noneMatch {
		switch theirs = strings.TrimPrefix(theirs, "W/"); theirs {
		case zippedTag(tag):
			h.Set("ETag", theirs)
			fallthrough
		case "*", tag:
			h.Del("Content-Length")
			h.Del("Content-Type")
			w.ResponseWriter.WriteHeader(http.StatusNotModified)
			return len(body), nil
		}
	}
	return w.ResponseWriter.Write(body)
}

// zippedTag returns the entity tag of the same answer in gzip: other bytes have another tag.
func zippedTag(tag string) string { return strings.TrimSuffix(tag, `"`) + `-gzip"` }

// tagOf returns the entity tag of a body, with the etag of the resource in it.
func tagOf(etag string, body []byte) string {
	sum := sha256.Sum256(body)
	hash := base64.RawURLEncoding.EncodeToString(sum[:hashBytes])
	if etag != "" {
		hash = etag + "." + hash
	}
	return `"` + hash + `"`
}
