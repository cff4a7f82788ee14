package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// recogniseJSON tells v1's two JSON files apart. One with keys of neither is a config.json.
func recogniseJSON(text []byte) Kind {
	keys, _ := jsonKeys(text)
	for _, k := range keys {
		if _, ok := Lookup(Monitor, k.name); ok {
			return Monitor
		}
	}
	for _, k := range keys {
		if _, ok := Lookup(Veriflier, k.name); ok {
			return Veriflier
		}
	}
	return Monitor
}

type jsonKey struct {
	name  string
	value json.RawMessage
	line  int
}

// jsonKeys reads an object, its keys in their order. Of a key that stands there twice the
// last one counts, as in v1.
func jsonKeys(text []byte) ([]jsonKey, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return nil, errors.New("is not a JSON object: it does not begin with a brace")
	}
	var keys []jsonKey
	wrong := func(err error) error {
		return fmt.Errorf("is not a JSON object: line %d: %w", line(text, d.InputOffset()), err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, wrong(err)
		}
		k := jsonKey{line: line(text, d.InputOffset())}
		k.name, _ = name.(string) // a key is a text, or Token fails
		if err := d.Decode(&k.value); err != nil {
			return nil, wrong(err)
		}
		keys = slices.DeleteFunc(keys, func(old jsonKey) bool { return old.name == k.name })
		keys = append(keys, k)
	}
	if _, err := d.Token(); err != nil {
		return nil, wrong(err)
	}
	if d.More() {
		return nil, wrong(errors.New("there is more after the closing brace"))
	}
	return keys, nil
}

func line(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(int(offset), len(text))], []byte("\n"))
}

// kept holds the values that finish combines.
type kept struct {
	numbers map[string]int
	// variable is USE_VARIABLE_CHECK_INTERVALS; v1 took a missing one for false.
	variable bool
}

func (f *File) parseJSON(text []byte, home string) error {
	keys, err := jsonKeys(text)
	if err != nil {
		return err
	}
	k := kept{numbers: map[string]int{}}
	for _, entry := range keys {
		s := Setting{Value: mask(compact(entry.value)), Line: entry.line}
		s.Key, s.Known = Lookup(f.Kind, entry.name)
		if s.Known {
			s.Err = f.take(s.Key, entry.value, &k, home)
		} else {
			s.Key.Secret = looksSecret(entry.name)
			s.Key.Here = "Nothing: v1 has no such key" + didYouMean(entry.name, names(f.Kind))
		}
		f.Settings = append(f.Settings, s)
	}
	f.finish(k)
	return nil
}

func names(file Kind) []string {
	var all []string
	for _, k := range Of(file) {
		all = append(all, k.Name)
	}
	return all
}

// looksSecret is for keys that nobody knows: their values are rather not shown.
func looksSecret(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "token") || strings.Contains(name, "password") || strings.Contains(name, "secret")
}

// secretField is a field of an object whose name says that it is a secret.
var secretField = regexp.MustCompile(`("[^"]*(?i:token|password|secret)[^"]*":)("(?:\\.|[^"\\])*"|[^,}\]]+)`)

// mask hides the secrets inside a value.
func mask(value string) string { return secretField.ReplaceAllString(value, `$1"***"`) }

func compact(value json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Compact(&b, value); err != nil {
		return string(value)
	}
	return b.String()
}

// take applies one key as its row says.
func (f *File) take(key Key, value json.RawMessage, k *kept, home string) (err error) {
	set := func(v any) { f.set(key.Command, key.Flag, v) }
	switch key.form {
	case formNumber, formSeconds, formMinutes, formMillis, formKept, formPort:
		var n int
		if n, err = number(value); err != nil {
			return err
		}
		if key.form == formKept {
			k.numbers[key.Name] = n
			return nil
		}
		set(map[form]string{
			formNumber: strconv.Itoa(n), formSeconds: (time.Duration(n) * time.Second).String(),
			formMinutes: (time.Duration(n) * time.Minute).String(), formMillis: (time.Duration(n) * time.Millisecond).String(), formPort: ":" + strconv.Itoa(n),
		}[key.form])
	case formTruth, formOpposite, formKeptTruth, formDebug:
		var yes bool
		if err = decode(value, &yes, "true or false"); err != nil {
			return err
		}
		switch {
		case key.form == formKeptTruth:
			k.variable = yes
		case key.form == formDebug:
			if yes {
				set("debug")
			}
		default:
			set(yes == (key.form == formTruth))
		}
	case formText, formPath, formToken, formAccepted:
		return f.takeText(key, value, home)
	case formVerifliers:
		f.Verifliers, err = members(value)
	case formIgnored:
	}
	return err
}

func (f *File) takeText(key Key, value json.RawMessage, home string) error {
	var text string
	if err := decode(value, &text, "a text"); err != nil {
		if key.Secret {
			return errors.New("must be a text")
		}
		return err
	}
	switch {
	case key.form == formToken:
		f.Token = text
	case text == "":
	case key.form == formAccepted:
		f.Accepted = []string{text}
	case key.form == formPath && !filepath.IsAbs(text):
		f.set(key.Command, key.Flag, filepath.Join(home, text))
	default:
		f.set(key.Command, key.Flag, text)
	}
	return nil
}

// number reads a whole number. JavaScript reckoned with "3" as with 3.
func number(value json.RawMessage) (int, error) {
	var n int32
	var text string
	if json.Unmarshal(value, &text) == nil {
		if quoted, err := strconv.ParseInt(text, 10, 32); err == nil {
			return int(quoted), nil
		}
	}
	err := decode(value, &n, "a whole number")
	return int(n), err
}

func decode(value json.RawMessage, target any, want string) error {
	if err := json.Unmarshal(value, target); err != nil {
		return fmt.Errorf("must be %s, is %.40s", want, value)
	}
	return nil
}

// defaultPort is a veriflier's.
const defaultPort = "7801"

// members reads VERIFIERS.
func members(value json.RawMessage) ([]Member, error) {
	var list []struct {
		Name, Host, Region string
		Port               json.Number
		AuthToken          string `json:"auth_token"`
	}
	if json.Unmarshal(value, &list) != nil {
		return nil, errors.New("must be a list of {name, host, port, auth_token, region}") // it has tokens: not shown
	}
	var all []Member
	for i, v := range list {
		// v1 had no regions: verifliers without one share a region.
		m := Member{Name: v.Name, Region: cmp.Or(v.Region, "default"), Host: v.Host, Port: cmp.Or(v.Port.String(), defaultPort), Token: v.AuthToken}
		port, err := strconv.ParseUint(m.Port, 10, 16)
		switch {
		case m.Name == "":
			return nil, fmt.Errorf("entry %d: name is missing", i+1)
		case m.Host == "":
			return nil, fmt.Errorf("entry %d: host is missing", i+1)
		case err != nil || port == 0:
			return nil, fmt.Errorf("entry %d: port must be from 1 to 65535, is %s", i+1, m.Port)
		}
		all = append(all, m)
	}
	return all, nil
}

// finish applies the keys that mean something only together.
func (f *File) finish(k kept) {
	has := func(name string) bool { _, ok := k.numbers[name]; return ok }
	if has("NUM_WORKERS") && has("NUM_TO_PROCESS") {
		f.set("checker", "max-in-flight", strconv.Itoa(k.numbers["NUM_WORKERS"]*k.numbers["NUM_TO_PROCESS"]))
	}
	if has("max_checkers") || has("max_checks") {
		threads, checks := 4, 500 // v1's own defaults
		if has("max_checkers") {
			threads = k.numbers["max_checkers"]
		}
		if has("max_checks") {
			checks = k.numbers["max_checks"]
		}
		f.set("veriflier", "max-in-flight", strconv.Itoa(threads*checks))
	}
	if has("MIN_TIME_BETWEEN_ROUNDS_SEC") && !k.variable {
		f.set("coordinator", "interval", (time.Duration(k.numbers["MIN_TIME_BETWEEN_ROUNDS_SEC"]) * time.Second).String())
	}
	first := k.numbers["BUCKET_NO_MIN"]
	if has("BUCKET_NO_MIN") {
		f.set("coordinator", "bucket-min", strconv.Itoa(first))
	}
	if has("BUCKET_NO_MAX") {
		batch := cmp.Or(k.numbers["BATCH_SIZE"], defaultBatch)
		f.set("coordinator", "bucket-max", strconv.Itoa(lastVisited(first, k.numbers["BUCKET_NO_MAX"], batch)))
	}
}

// defaultBatch is BATCH_SIZE in v1's sample.
const defaultBatch = 32

// lastVisited returns the last bucket that v1 visited. Its batches ended before the last
// bucket when that lies whole batches above the first; and its sample has 512, although
// there is no such bucket.
func lastVisited(first, last, batch int) int {
	if last > first && batch > 0 && (last-first)%batch == 0 {
		last--
	}
	if last == check.Buckets {
		last--
	}
	return last
}
