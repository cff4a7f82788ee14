package checkpb_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/test/seeds"
)

func TestSettingsSurviveTheWire(t *testing.T) {
	t.Parallel()
	seeds.Check(t, []uint64{1}, func(t *rapid.T) {
		want := targets().Draw(t, "target").Settings
		got, err := checkpb.SettingsFromProto("x", overTheWire(t, checkpb.SettingsToProto(want), new(monitorv1.CheckSettings)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAbsentSettingsAreTheDefaultOnes(t *testing.T) {
	t.Parallel()
	got, err := checkpb.SettingsFromProto("x", nil)
	if diff := cmp.Diff(check.Settings{}, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("%v, %s", err, diff)
	}
	if p := checkpb.SettingsToProto(check.Settings{}); p.GetSlowAfter() != nil || p.GetHeaders() != nil {
		t.Errorf("shown as %v", p)
	}
}

func TestASlowAfterIsCutToWhatNodesAreTold(t *testing.T) {
	t.Parallel()
	got, err := checkpb.SettingsFromProto("x", &monitorv1.CheckSettings{SlowAfter: durationpb.New(1_999_999)})
	if err != nil || got.SlowAfter != time.Millisecond {
		t.Errorf("%v, %v", got.SlowAfter, err)
	}
}

func TestWrongSettingsAreRefusedByField(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		settings *monitorv1.CheckSettings
		field    string
	}{
		"a method from the future":          {&monitorv1.CheckSettings{Method: 77}, "site.settings.method"},
		"a redirect policy that is none":    {&monitorv1.CheckSettings{RedirectPolicy: -1}, "site.settings.redirect_policy"},
		"slow after more than a minute":     {&monitorv1.CheckSettings{SlowAfter: durationpb.New(61 * time.Second)}, "site.settings.slow_after"},
		"slow before it began":              {&monitorv1.CheckSettings{SlowAfter: durationpb.New(-1)}, "site.settings.slow_after"},
		"a span that is none":               {&monitorv1.CheckSettings{SlowAfter: &durationpb.Duration{Seconds: 1, Nanos: -1}}, "site.settings.slow_after"},
		"more milliseconds than 32 bits":    {&monitorv1.CheckSettings{SlowAfter: durationpb.New((1<<32 + 5) * time.Millisecond)}, "site.settings.slow_after"},
		"a header that smuggles":            {&monitorv1.CheckSettings{Headers: []*checkv1.Header{{Name: "Content-Length"}}}, "site.settings.headers[0].name"},
		"nine headers":                      {&monitorv1.CheckSettings{Headers: make([]*checkv1.Header, 9)}, "site.settings.headers"},
		"an empty text":                     {&monitorv1.CheckSettings{RequiredTexts: []string{""}}, "site.settings.required_texts[0]"},
		"a forbidden text that is too long": {&monitorv1.CheckSettings{ForbiddenTexts: []string{strings.Repeat("x", 201)}}, "site.settings.forbidden_texts[0]"},
	} {
		_, err := checkpb.SettingsFromProto("site.settings", tt.settings)
		if fe, ok := errors.AsType[*checkpb.FieldError](err); !ok || fe.Field != tt.field || fe.Description == "" {
			t.Errorf("%s: %v, want field %s", name, err, tt.field)
		}
	}
}
