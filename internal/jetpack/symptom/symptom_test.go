package symptom_test

import (
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/jetpack/symptom"
)

func TestASymptomIsFoundByWhatOwnersType(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"powering_up":                                   "powering_up",
		"Premium plan is powering up":                   "powering_up",
		"jetpack premium plan always powering up!":      "powering_up",
		"Error updating settings":                       "settings_error",
		"“Error updating settings”":                     "settings_error",
		"spam protection flicker":                       "spam_flicker",
		"Spam protection “flickers”":                    "spam_flicker",
		"The buffer you checked in was not checked out": "buffer_mismatch",
		"PHP message: Error checking in buffer: The buffer you checked in was not checked out": "buffer_mismatch",
		"cannot enable google analytics":                              "cannot_enable",
		"There is an unclosed buffer":                                 "buffer_mismatch",
		"site_inaccessible":                                           "site_inaccessible",
		"signature_mismatch":                                          "connection_broken",
		"XML-RPC server accepts POST requests only.":                  "accepts_post_only",
		"XML-RPC services are disabled on this site.":                 "xmlrpc_disabled",
		"cURL error 28: Operation timed out after 20001 milliseconds": "outgoing_failed",
	} {
		if got, ok := symptom.Find(text); !ok || got.Name != want {
			t.Errorf("%q: %q, %v, want %q", text, got.Name, ok, want)
		}
	}
	for _, text := range []string{"", "  ", "?", "list", "my cat is ill", "the", "jetpack", "is", strings.Repeat("x ", 100)} {
		if got, ok := symptom.Find(text); ok {
			t.Errorf("%q: %q", text, got.Name)
		}
	}
}

func TestEverySymptomIsWholeAndItsOwn(t *testing.T) {
	t.Parallel()
	names, words, texts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range symptom.All() {
		if s.Name == "" || s.Means == "" || s.Else == "" || len(s.Words) == 0 || len(s.Steps) == 0 || names[s.Name] || texts[s.Means] || texts[s.Else] {
			t.Errorf("%+v", s)
		}
		names[s.Name], texts[s.Means], texts[s.Else] = true, true, true
		for _, w := range s.Words {
			if got, ok := symptom.Find(w); !ok || got.Name != s.Name || words[w] {
				t.Errorf("%q of %s leads to %s", w, s.Name, got.Name)
			}
			words[w] = true
		}
		checks := map[string]bool{}
		for _, step := range s.Steps {
			if step.Well == "" || checks[step.Check] {
				t.Errorf("%s: %+v", s.Name, step)
			}
			checks[step.Check] = true
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("Premium plan is powering up")
	f.Fuzz(func(_ *testing.T, text string) { symptom.Find(text) })
}
