package jetpack

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/mistake"
)

func TestTheCausesOfAConnectionAreWholeAndDestroyNothing(t *testing.T) {
	t.Parallel()
	destroys := regexp.MustCompile(`(?i)\b(delete|remove|drop|reset|disconnect|deactivate)\b`)
	seen := map[string]string{}
	for _, c := range slices.Concat(connectionCauses(), mistake.Causes()) {
		if c.Name == "" || c.Means == "" || c.Owner+c.Host == "" {
			t.Errorf("%+v is not whole", c)
		}
		for _, text := range []string{c.Name, c.Means, c.Owner, c.Host} {
			if other, twice := seen[text]; twice && text != "" {
				t.Errorf("%s and %s share %q", other, c.Name, text)
			}
			seen[text] = c.Name
			if strings.ContainsAny(text, "\n\r") {
				t.Errorf("%s has more than a line: %q", c.Name, text)
			}
		}
		if advice := c.Owner + " " + c.Host; destroys.MatchString(advice) {
			t.Errorf("%s advises to destroy something: %q", c.Name, advice)
		}
		if c.Sure.String() == "" || c.Weight < cause.Ours || c.Weight > cause.Minor {
			t.Errorf("%s has sureness %v and weight %v", c.Name, c.Sure, c.Weight)
		}
	}
}
