package gateway

import (
	"net/http"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/internal/fault"
)

// keyHeader is the header with the key of a call that is to have its effect once, whoever repeats
// it; keyField is where the RPC has it.
const (
	keyHeader   = "Idempotency-Key"
	keyField    = "idempotency_key"
	maxKeyBytes = 255
)

// idempotencyKey reads the key of a request, which may stand in quotation marks. Where it changes
// nothing, as for PATCH or :pause, which may be repeated anyway, it is ignored, for there are
// clients that send it always. Where something would be added twice in spite of it, it is refused.
func (r *route) idempotencyKey(h http.Header) (string, error) {
	keys := h.Values(keyHeader)
	if len(keys) == 0 {
		return "", nil
	}
	if r.input.Fields().ByName(keyField) == nil {
		if r.method == http.MethodPost && r.verb == "" {
			return "", fault.InvalidField(keyHeader, "is not known here: what this adds is added again by every call")
		}
		return "", nil
	}
	key := keys[0]
	if len(key) > 2 && strings.HasPrefix(key, `"`) && strings.HasSuffix(key, `"`) {
		key = key[1 : len(key)-1]
	}
	if len(keys) > 1 || key == "" || len(key) > maxKeyBytes || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fault.InvalidField(keyHeader, "must be given once, 1 to %d characters of ASCII without spaces, as a UUID", maxKeyBytes)
	}
	return key, nil
}

// setKey puts the key into a request that has no other one.
func setKey(req protoreflect.Message, key string) error {
	fd := req.Descriptor().Fields().ByName(keyField)
	if own := req.Get(fd).String(); own != "" && own != key {
		return fault.InvalidField(keyHeader, "differs from idempotency_key in the query")
	}
	req.Set(fd, protoreflect.ValueOfString(key))
	return nil
}
