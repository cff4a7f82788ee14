package docs

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
)

const anything = "..."

// matches compares an output with what a page shows of it.
func matches(shown, got string) error {
	var a, b any
	if err := json.Unmarshal([]byte(shown), &a); err != nil {
		return fmt.Errorf("what the page shows is not JSON: %w", err)
	}
	if err := json.Unmarshal([]byte(got), &b); err != nil {
		return fmt.Errorf("the output is not JSON: %w", err)
	}
	return same("", a, b)
}

func same(at string, shown, got any) error {
	if shown == anything {
		return nil
	}
	switch shown := shown.(type) {
	case map[string]any:
		other, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: %v is no object", at, got)
		}
		for name := range other {
			if _, ok := shown[name]; !ok && shown[anything] == nil {
				return fmt.Errorf("%s.%s: the page does not show it", at, name)
			}
		}
		for name, value := range shown {
			if name == anything {
				continue
			}
			have, ok := other[name]
			if !ok {
				return fmt.Errorf("%s.%s: it is not there", at, name)
			}
			if err := same(at+"."+name, value, have); err != nil {
				return err
			}
		}
		return nil
	case []any:
		other, ok := got.([]any)
		if !ok {
			return fmt.Errorf("%s: %v is no list", at, got)
		}
		open := len(shown) > 0 && shown[len(shown)-1] == anything
		if open {
			shown = shown[:len(shown)-1]
		}
		if len(other) < len(shown) || !open && len(other) != len(shown) {
			return fmt.Errorf("%s: %d elements, the page shows %d", at, len(other), len(shown))
		}
		for i, value := range shown {
			if err := same(fmt.Sprintf("%s[%d]", at, i), value, other[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if !reflect.DeepEqual(shown, got) {
		return fmt.Errorf("%s: %v, the page shows %v", at, got, shown)
	}
	return nil
}

func TestWhatAPageShowsIsCompared(t *testing.T) {
	t.Parallel()
	for shown, others := range map[string][2][]string{ // those that match, those that do not
		`{"a":1}`:           {{`{"a":1}`}, {`{"a":2}`, `{}`, `{"a":1,"b":2}`, `{"a":"1"}`, `[]`, `x`}},
		`{"a":"..."}`:       {{`{"a":1}`, `{"a":{"b":[]}}`}, {`{}`, `{"a":1,"b":2}`}},
		`{"a":1,"...":""}`:  {{`{"a":1}`, `{"a":1,"b":2}`}, {`{"b":2}`}},
		`[1,"..."]`:         {{`[1]`, `[1,2,3]`}, {`[]`, `[2]`}},
		`[{"a":null}]`:      {{`[{"a":null}]`}, {`[{"a":0}]`, `[{"a":null},{}]`, `[]`}},
		`{"a":["...","b"]}`: {{`{"a":[1,"b"]}`}, {`{"a":["b"]}`}},
	} {
		for _, got := range others[0] {
			if err := matches(shown, got); err != nil {
				t.Errorf("%s is not %s: %v", got, shown, err)
			}
		}
		for _, got := range others[1] {
			if matches(shown, got) == nil {
				t.Errorf("%s is %s", got, shown)
			}
		}
	}
}
