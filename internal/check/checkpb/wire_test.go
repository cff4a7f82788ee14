package checkpb_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/test/seeds"
)

// assertReadAlike compares ReadObservation with the generated code and
// ObservationFromProto on the same bytes.
func assertReadAlike(t rapid.TB, wire []byte) {
	t.Helper()
	kept := bytes.Clone(wire)
	var p checkv1.Observation
	wantErr := proto.Unmarshal(wire, &p)
	got := check.Observation{Outcome: check.OutcomeDown, Detail: "of another", Headers: map[string]string{"a": "b"}}
	err := checkpb.ReadObservation(wire, &got)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%x: error %v, the generated code says %v", wire, err, wantErr)
	}
	if !bytes.Equal(wire, kept) {
		t.Errorf("%x was changed to %x", kept, wire)
	}
	if err != nil {
		return
	}
	clear(wire) // what was read must not lie in it
	if d := cmp.Diff(checkpb.ObservationFromProto(&p), got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%x (-generated +read):\n%s", kept, d)
	}
}

func TestObservationsAreReadAsTheGeneratedCodeReadsThem(t *testing.T) {
	t.Parallel()
	seeds.Check(t, []uint64{1}, func(t *rapid.T) {
		wire, err := proto.Marshal(checkpb.ObservationToProto(observations().Draw(t, "observation")))
		if err != nil {
			t.Fatal(err)
		}
		assertReadAlike(t, wire)
	})
}

// No node sends these on purpose, but their meaning is defined.
func TestOddObservationsAreReadAsTheGeneratedCodeReadsThem(t *testing.T) {
	t.Parallel()
	number := func(field protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), v)
	}
	text := func(field protowire.Number, v []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), v)
	}
	header := func(name, value string) []byte {
		return text(13, slices.Concat(text(1, []byte(name)), text(2, []byte(value))))
	}
	for name, wire := range map[string][]byte{
		"nothing":                          nil,
		"a number twice":                   slices.Concat(number(1, 2), number(1, 1)),
		"an outcome that is none":          slices.Concat(number(1, 1), number(1, 9)),
		"an outcome below zero":            number(1, 1<<64-1),
		"timings in two parts":             slices.Concat(text(6, number(1, 5)), text(6, number(5, 7))),
		"a timing of more than 32 bits":    text(6, number(5, 1<<40+3)),
		"advisories one by one":            slices.Concat(number(5, 1), number(5, 3)),
		"advisories twice, and unknown":    text(5, []byte{1, 3, 1, 77}),
		"advisories cut short":             text(5, []byte{1, 0x80}),
		"a text twice":                     slices.Concat(text(10, []byte("HTTP/1.0")), text(10, []byte("HTTP/1.1"))),
		"a text that is not UTF-8":         text(14, []byte{'a', 0xff}),
		"a text of many alphabets":         text(14, []byte("größer als ∞")),
		"control characters":               text(14, []byte("a\x00b\x7fc")),
		"a text that is too long":          text(9, bytes.Repeat([]byte{'a'}, 81)),
		"a reason that is none":            text(3, []byte("No Reason")),
		"a number where a text should be":  number(10, 7),
		"a field of a later version":       slices.Concat(number(1, 1), number(99, 7), text(98, []byte("x"))),
		"a group":                          {1<<3 | 3, 1<<3 | 4},
		"a group that does not end":        {1<<3 | 3},
		"field 0":                          {2, 0},
		"a field number that is too large": protowire.AppendVarint(nil, 1<<35),
		"a length that is too long":        {9<<3 | 2, 200, 1, 'a'},
		"a number of eleven bytes":         append([]byte{1 << 3}, bytes.Repeat([]byte{0x80}, 11)...),
		"a number in more bytes than due":  {1 << 3, 0x81, 0x80, 0x00},
		"a tag in more bytes than due":     {0x88, 0x00, 1},
		"one header twice":                 slices.Concat(header("a", "1"), header("a", "2")),
		"a header without a name":          header("", "1"),
		"a header without anything":        text(13, nil),
		"a header's value before its name": text(13, slices.Concat(text(2, []byte("v")), text(1, []byte("n")))),
		"many headers": slices.Concat(func() (all [][]byte) {
			for c := byte('a'); c <= 'z'; c++ {
				all = append(all, header(string(c), "x"))
			}
			return all
		}()...),
		"many hops":                   bytes.Repeat(text(11, slices.Concat(number(1, 301), text(2, []byte("http://a.example/")))), 30),
		"a hop with a status of 1000": text(11, number(1, 1000)),
		"a certificate of all times":  text(12, number(1, 1<<60)),
		"a certificate of 1970":       text(12, nil),
		"a certificate of year 1":     text(12, number(1, 1<<64-62135596800)),
		"nanoseconds below zero":      text(12, number(2, 1<<64-1)),
		"a failure of a site that is up": slices.Concat(number(1, 1), number(2, 5),
			text(3, []byte("refused"))),
		"a policy that says down": slices.Concat(number(1, 2), number(2, 12)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assertReadAlike(t, wire)
		})
	}
}

func FuzzReadObservation(f *testing.F) {
	for _, o := range []check.Observation{healthy(), failing()} {
		b, err := proto.Marshal(checkpb.ObservationToProto(o))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { assertReadAlike(t, b) })
}

// assertWrittenAlike compares AppendTarget with the generated code's encoding of
// TargetToProto.
func assertWrittenAlike(t rapid.TB, target check.Target) {
	t.Helper()
	want, err := proto.MarshalOptions{Deterministic: true}.Marshal(checkpb.TargetToProto(target))
	if err != nil {
		t.Fatal(err)
	}
	got, err := checkpb.AppendTarget([]byte("before"), target)
	if err != nil {
		t.Fatal(err)
	}
	if want = append([]byte("before"), want...); !bytes.Equal(want, got) {
		t.Errorf("%+v:\n got %q\nwant %q", target, got, want)
	}
}

func TestTargetsAreWrittenAsTheGeneratedCodeWritesThem(t *testing.T) {
	t.Parallel()
	seeds.Check(t, []uint64{1}, func(t *rapid.T) {
		target := targets().Draw(t, "target")
		if rapid.Bool().Draw(t, "plain") {
			target.Headers, target.RequiredTexts, target.ForbiddenTexts = nil, nil, nil
		}
		assertWrittenAlike(t, target)
	})
}

func TestOddTargetsAreWrittenAsTheGeneratedCodeWritesThem(t *testing.T) {
	t.Parallel()
	for _, target := range []check.Target{
		{},
		{URL: "http://a\xff.example/"},
		{URL: strings.Repeat("é", 300), Timeout: time.Hour, Settings: check.Settings{SlowAfter: time.Hour}},
		{URL: "http://a.example/", Timeout: -time.Second, Settings: check.Settings{SlowAfter: time.Nanosecond, Method: 200, RedirectPolicy: 200}},
		{URL: "http://a.example/", Settings: check.Settings{RequiredTexts: []string{"\xff"}}, HeadHostile: true},
	} {
		assertWrittenAlike(t, target)
	}
}

func BenchmarkReadHealthyObservation(b *testing.B) {
	wire, err := proto.Marshal(checkpb.ObservationToProto(healthy()))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var o check.Observation
	for b.Loop() {
		if err := checkpb.ReadObservation(wire, &o); err != nil || o.Outcome != check.OutcomeUp {
			b.Fatal(o, err)
		}
	}
}

// BenchmarkReadHealthyObservationGenerated does the same with the generated code, for
// comparison.
func BenchmarkReadHealthyObservationGenerated(b *testing.B) {
	wire, err := proto.Marshal(checkpb.ObservationToProto(healthy()))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var p checkv1.Observation
		if err := proto.Unmarshal(wire, &p); err != nil {
			b.Fatal(err)
		}
		if o := checkpb.ObservationFromProto(&p); o.Outcome != check.OutcomeUp {
			b.Fatal(o)
		}
	}
}

func BenchmarkAppendTarget(b *testing.B) {
	target := check.Target{URL: "https://www.a-web-site-00001234.example/", Timeout: 10 * time.Second}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = checkpb.AppendTarget(buf[:0], target); err != nil {
			b.Fatal(err)
		}
	}
}
