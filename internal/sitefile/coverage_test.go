package sitefile

import (
	"slices"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// What callers decide about a site is in a file of it: a field that is added to the contract
// must not be lost between an export and an import.
func TestAFileHasAColumnForEachFieldThatCallersDecide(t *testing.T) {
	t.Parallel()
	var want []string
	fields := (&monitorv1.Site{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case decidedByUs(f), f.Name() == "etag":
		case f.Name() == "settings":
			for i := range f.Message().Fields().Len() {
				want = append(want, "settings."+string(f.Message().Fields().Get(i).Name()))
			}
		default:
			want = append(want, string(f.Name()))
		}
	}
	var got []string
	for _, c := range columns {
		got = append(got, c.fieldName())
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the columns are of %v, callers decide %v", got, want)
	}
	for i := range fields.Len() {
		f := fields.Get(i)
		site := &monitorv1.Site{Settings: &monitorv1.CheckSettings{Method: 1}}
		if f.Kind() == protoreflect.StringKind && !f.IsList() {
			site.ProtoReflect().Set(f, protoreflect.ValueOfString("x"))
		}
		kept := Portable(site).ProtoReflect().Has(f)
		if f.Kind() == protoreflect.StringKind && !f.IsList() && kept != (f.Name() == "url") {
			t.Errorf("Portable keeps %s: %v", f.Name(), kept)
		}
	}
}

// decidedByUs reports whether callers only read a field.
func decidedByUs(f protoreflect.FieldDescriptor) bool {
	behaviours, _ := proto.GetExtension(f.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return slices.Contains(behaviours, annotations.FieldBehavior_OUTPUT_ONLY) || slices.Contains(behaviours, annotations.FieldBehavior_IDENTIFIER)
}
