package checkpb

import (
	"slices"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// reader reads a message of numbers and texts field by field: whole from at to end. It
// moves by index, since moving a pointer would cost a write barrier per step. whole is a
// copy of the bytes, so all texts that it returns share one allocation. It sets odd and
// stops at anything unusual or incomplete.
type reader struct {
	whole   string
	at, end int
	odd     bool
}

// more reports whether there is another field.
func (r *reader) more() bool { return r.at < r.end && !r.odd }

// The wire types that reader knows; a tag is a field's number and its wire type.
const (
	varintType = 0
	bytesType  = 2
)

// varint reads a number or a tag. More than nine bytes are odd.
func (r *reader) varint() uint64 {
	if r.at < r.end && r.whole[r.at] < 0x80 { // nearly always
		r.at++
		return uint64(r.whole[r.at-1])
	}
	return r.long()
}

func (r *reader) long() uint64 {
	var v uint64
	for i := 0; i < 9 && r.at < r.end; i++ {
		c := r.whole[r.at]
		r.at++
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return v
		}
	}
	r.odd = true
	return 0
}

// inside returns a reader for a field with a length prefix.
func (r *reader) inside() reader {
	n := r.varint()
	if r.odd || n > uint64(r.end-r.at) {
		r.odd = true
		return reader{}
	}
	at := r.at
	r.at += int(n)
	return reader{whole: r.whole, at: at, end: r.at}
}

// close makes r odd if the inner reader is.
func (r *reader) close(in *reader) { r.odd = r.odd || in.odd }

// text reads a text that needs no change: printable ASCII of at most limit bytes.
func (r *reader) text(limit int) string {
	in := r.inside()
	s := in.whole[in.at:in.end]
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

// readObservation reads an observation in the form that nodes send. It returns false for
// any other form.
func readObservation(wire []byte, o *check.Observation) bool {
	*o = check.Observation{Outcome: check.OutcomeUnknown}
	r := reader{whole: string(wire), end: len(wire)}
	timings, ends := 0, 0
	for r.more() {
		tag := r.varint()
		// A repeated inner message would have to be merged; that is odd. Of repeated numbers
		// and texts the last one counts, as in the generated code.
		switch tag {
		case 6<<3 | bytesType:
			timings++
		case 12<<3 | bytesType:
			ends++
		}
		r.observed(tag, o)
	}
	if r.odd || timings > 1 || ends > 1 || len(o.Headers) > maxHeaders || len(o.Hops) > check.MaxRedirects {
		return false
	}
	judge(o)
	return true
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
		in := r.inside()
		for in.more() {
			o.Advisories = addAdvisory(o.Advisories, enum[check.Advisory](&in, checkv1.Advisory(check.AdvisoryLast)))
		}
		r.close(&in)
	case 6<<3 | bytesType:
		r.timing(&o.Timing)
	case 7<<3 | varintType:
		o.Phase = enum[check.Phase](r, checkv1.Phase_PHASE_DONE)
	case 8<<3 | varintType:
		o.Method = enum[check.Method](r, checkv1.Method_METHOD_GET)
	case 9<<3 | bytesType:
		o.ResolvedAddress = r.text(maxAddressBytes)
	case 10<<3 | bytesType:
		o.Protocol = r.text(maxProtocolBytes)
	case 11<<3 | bytesType:
		o.Hops = append(o.Hops, r.hop())
	case 12<<3 | bytesType:
		o.CertificateExpire = r.timestamp()
	case 13<<3 | bytesType:
		if o.Headers == nil {
			o.Headers = make(map[string]string, 4)
		}
		r.header(o.Headers)
	case 14<<3 | bytesType:
		o.Detail = r.text(check.MaxDetailBytes)
	case 15<<3 | varintType:
		o.PageState = enum[check.PageState](r, checkv1.PageState_PAGE_STATE_EMPTY)
	case 16<<3 | bytesType:
		o.CertificateIssuer = r.text(maxIssuerBytes)
	default:
		r.odd = true
	}
}

// addAdvisory adds an advisory that is known and not in the list yet.
func addAdvisory(all []check.Advisory, a check.Advisory) []check.Advisory {
	if a == 0 || slices.Contains(all, a) {
		return all
	}
	return append(all, a)
}

func (r *reader) timing(t *check.Timing) {
	in := r.inside()
	for in.more() {
		tag := in.varint()
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
	r.close(&in)
}

func (r *reader) timestamp() time.Time {
	in := r.inside()
	var seconds, nanos int64
	for in.more() {
		switch in.varint() {
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

func (r *reader) hop() check.Hop {
	in := r.inside()
	var h check.Hop
	for in.more() {
		switch in.varint() {
		case 1<<3 | varintType:
			h.Status = boundStatus(int(int32(in.varint())))
		case 2<<3 | bytesType:
			h.URL = in.text(maxHopURLBytes)
		default:
			in.odd = true
		}
	}
	r.close(&in)
	return h
}

func (r *reader) header(to map[string]string) {
	in := r.inside()
	var name, value string
	for in.more() {
		switch in.varint() {
		case 1<<3 | bytesType:
			name = in.text(maxHeaderBytes)
		case 2<<3 | bytesType:
			value = in.text(maxHeaderBytes)
		default:
			in.odd = true
		}
	}
	r.close(&in)
	r.odd = r.odd || name == ""
	to[name] = value
}
