package checkpb

import (
	"slices"
	"time"

	checkv1 "github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// reader reads a message of numbers and texts, field by field. It holds a copy of the
// bytes, so that the texts that it hands out share one allocation. What it does not
// know ends it: odd.
type reader struct {
	left string
	odd  bool
}

// next reads a field's number and its wire type; 0 at the end.
func (r *reader) next() (field uint64) {
	if r.left == "" {
		return 0
	}
	tag := r.varint()
	if tag>>3 == 0 {
		r.odd = true
	}
	return tag
}

// Tags are a field's number with its wire type, as they stand in the bytes.
const (
	varintType = 0
	bytesType  = 2
)

// varint reads a number; one of more than nine bytes is odd.
func (r *reader) varint() uint64 {
	var v uint64
	for i := 0; i < len(r.left) && i < 9; i++ {
		c := r.left[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.left = r.left[i+1:]
			return v
		}
	}
	r.odd, r.left = true, ""
	return 0
}

// bytes reads what has a length before it.
func (r *reader) bytes() string {
	n := r.varint()
	if n > uint64(len(r.left)) {
		r.odd, r.left = true, ""
		return ""
	}
	s := r.left[:n]
	r.left = r.left[n:]
	return s
}

// text reads a text that nothing has to be done to: printable ASCII of at most limit bytes.
func (r *reader) text(limit int) string {
	s := r.bytes()
	if len(s) > limit || !printable(s) {
		r.odd = true
	}
	return s
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// enum reads a value of a closed enum, as known does.
func enum[V ~uint8, E ~int32](r *reader, last E) V { return known[V](E(int32(r.varint())), last) }

// readObservation reads an observation as nodes send them. False: it is not like that.
func readObservation(wire []byte) (check.Observation, bool) {
	o := check.Observation{Outcome: check.OutcomeUnknown}
	r := reader{left: string(wire)}
	var seen [16]bool
	for tag := r.next(); tag != 0 && !r.odd; tag = r.next() {
		// Messages inside may be merged from several: that is odd. Of numbers and
		// texts the last one counts, as in the generated code.
		switch tag {
		case 6<<3 | bytesType, 12<<3 | bytesType:
			r.odd = r.odd || seen[tag>>3]
			seen[tag>>3] = true
		}
		r.observed(tag, &o)
	}
	if r.odd || len(o.Headers) > maxHeaders || len(o.Hops) > check.MaxRedirects {
		return check.Observation{}, false
	}
	judge(&o)
	return o, true
}

// observed reads one field of an observation.
func (r *reader) observed(tag uint64, o *check.Observation) {
	switch tag {
	case 1<<3 | varintType:
		o.Outcome = check.OutcomeUnknown
		if v := enum[check.Outcome](r, checkv1.Outcome_OUTCOME_UNKNOWN); v != 0 {
			o.Outcome = v
		}
	case 2<<3 | varintType:
		o.Failure = enum[check.FailureKind](r, checkv1.FailureKind_FAILURE_KIND_POLICY)
	case 3<<3 | bytesType:
		o.Reason = boundReason(r.text(maxReasonBytes))
	case 4<<3 | varintType:
		o.HTTPStatus = boundStatus(int(int32(r.varint())))
	case 5<<3 | bytesType:
		for list := (reader{left: r.bytes()}); list.left != ""; r.odd = r.odd || list.odd {
			o.Advisories = addAdvisory(o.Advisories, enum[check.Advisory](&list, checkv1.Advisory_ADVISORY_HEAD_UNSUPPORTED))
		}
	case 6<<3 | bytesType:
		r.timing(r.bytes(), &o.Timing)
	case 7<<3 | varintType:
		o.Phase = enum[check.Phase](r, checkv1.Phase_PHASE_DONE)
	case 8<<3 | varintType:
		o.Method = enum[check.Method](r, checkv1.Method_METHOD_GET)
	case 9<<3 | bytesType:
		o.ResolvedAddress = r.text(maxAddressBytes)
	case 10<<3 | bytesType:
		o.Protocol = r.text(maxProtocolBytes)
	case 11<<3 | bytesType:
		o.Hops = append(o.Hops, r.hop(r.bytes()))
	case 12<<3 | bytesType:
		o.CertificateExpire = r.timestamp(r.bytes())
	case 13<<3 | bytesType:
		if o.Headers == nil {
			o.Headers = make(map[string]string, 4)
		}
		r.header(r.bytes(), o.Headers)
	case 14<<3 | bytesType:
		o.Detail = r.text(check.MaxDetailBytes)
	default:
		r.odd = true
	}
}

// addAdvisory adds one that is known and not there yet.
func addAdvisory(all []check.Advisory, a check.Advisory) []check.Advisory {
	if a == 0 || slices.Contains(all, a) {
		return all
	}
	return append(all, a)
}

func (r *reader) timing(wire string, t *check.Timing) {
	in := reader{left: wire}
	for tag := in.next(); tag != 0 && !in.odd; tag = in.next() {
		d := time.Duration(uint32(in.varint())) * time.Microsecond
		switch tag {
		case 1<<3 | varintType:
			t.DNS = d
		case 2<<3 | varintType:
			t.Connect = d
		case 3<<3 | varintType:
			t.TLS = d
		case 4<<3 | varintType:
			t.FirstByte = d
		case 5<<3 | varintType:
			t.Total = d
		default:
			in.odd = true
		}
	}
	r.odd = r.odd || in.odd
}

func (r *reader) timestamp(wire string) time.Time {
	in := reader{left: wire}
	var seconds, nanos int64
	for tag := in.next(); tag != 0 && !in.odd; tag = in.next() {
		switch tag {
		case 1<<3 | varintType:
			seconds = int64(in.varint())
		case 2<<3 | varintType:
			nanos = int64(int32(in.varint()))
		default:
			in.odd = true
		}
	}
	if in.odd || seconds < minTimestamp || seconds > maxTimestamp || nanos < 0 || nanos >= int64(time.Second) {
		r.odd = true
	}
	return time.Unix(seconds, nanos).UTC()
}

func (r *reader) hop(wire string) check.Hop {
	in := reader{left: wire}
	var h check.Hop
	for tag := in.next(); tag != 0 && !in.odd; tag = in.next() {
		switch tag {
		case 1<<3 | varintType:
			h.Status = boundStatus(int(int32(in.varint())))
		case 2<<3 | bytesType:
			h.URL = in.text(maxHopURLBytes)
		default:
			in.odd = true
		}
	}
	r.odd = r.odd || in.odd
	return h
}

func (r *reader) header(wire string, to map[string]string) {
	in := reader{left: wire}
	var name, value string
	for tag := in.next(); tag != 0 && !in.odd; tag = in.next() {
		switch tag {
		case 1<<3 | bytesType:
			name = in.text(maxHeaderBytes)
		case 2<<3 | bytesType:
			value = in.text(maxHeaderBytes)
		default:
			in.odd = true
		}
	}
	r.odd = r.odd || in.odd || name == ""
	to[name] = value
}
