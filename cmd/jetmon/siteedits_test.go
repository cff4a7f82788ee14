package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/sitefile"
)

// What a file says of a site, the flags of an edit can say, too: each has a flag,
// most of its own name, and all but what has no default can be cleared.
func TestTheFlagsOfAnEditAreTheColumnsOfAFile(t *testing.T) {
	t.Parallel()
	node, ok := find(model(t).Model.Node, []string{"sites", "edit"})
	if !ok {
		t.Fatal("there is no jetmon sites edit")
	}
	other := map[string]string{
		"blog_id": "blog", "check_interval": "interval", "tags": "tag", "required_texts": "required-text", "forbidden_texts": "forbidden-text", "headers": "header",
	}
	clear := wordsOf(flagNamed(node, "--clear").Value)
	for _, column := range sitefile.Columns() {
		name := strings.ReplaceAll(column, "_", "-")
		if other[column] != "" {
			name = other[column]
		}
		if flagNamed(node, "--"+name) == nil {
			t.Errorf("%s has no flag --%s", column, name)
		}
		if has := slices.Contains(clear, column); has == (column == "url" || column == "paused" || column == "public_badges") {
			t.Errorf("--clear takes %s: %v", column, has)
		}
	}
	for flag, words := range map[string][]string{
		"--method": sitefile.Words(checkv1.Method(0)), "--redirect-policy": sitefile.Words(checkv1.RedirectPolicy(0)),
		"--page-check": sitefile.Words(checkv1.PageCheck(0)), "--tls-errors": sitefile.Words(checkv1.TLSErrors(0)),
	} {
		if got := wordsOf(flagNamed(node, flag).Value); !slices.Equal(got, words) {
			t.Errorf("%s takes %v, the contract has %v", flag, got, words)
		}
	}
	for _, f := range node.Flags {
		if column := strings.ReplaceAll(f.Name, "-", "_"); !f.Tag.Has(noEnv) && (slices.Contains(sitefile.Columns(), column) || slices.Contains(slices.Collect(maps.Values(other)), f.Name)) {
			t.Errorf("--%s has a variable", f.Name)
		}
	}
}
