package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseOwn reads Jetmon's own file: a mapping of flags to texts or lists of texts.
func (f *File) parseOwn(text []byte) error {
	var doc, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil // an empty file sets nothing
	case err != nil:
		return fmt.Errorf("is no YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return errors.New("has more than one YAML document")
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: must have a line `flag: value` for each flag", root.Line)
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		s := Setting{Key: Key{File: Own, Name: key.Value}, Line: key.Line}
		var flag any
		if seen[key.Value] != 0 {
			s.Err = fmt.Errorf("stands already in line %d", seen[key.Value])
		} else {
			flag, s.Value, s.Err = flagValue(value)
		}
		seen[key.Value] = key.Line
		s.Value = maskDSN(s.Value)
		f.Settings = append(f.Settings, s)
		if s.Err == nil {
			f.set("", key.Value, flag)
		}
	}
	return nil
}

// password is the password in a DSN.
var password = regexp.MustCompile(`^(mysql://[^:@/]*:).*(@[a-z]+\([^()]*\)/)`)

// maskDSN hides the password of a DSN.
func maskDSN(text string) string { return password.ReplaceAllString(text, "$1***$2") }

// flagValue returns a value as a flag takes it, and as text.
func flagValue(n *yaml.Node) (flag any, text string, err error) {
	switch n.Kind {
	case yaml.ScalarNode:
		text, err = scalar(n)
		return text, text, err
	case yaml.SequenceNode:
		list := []any{}
		var texts []string
		for _, item := range n.Content {
			one, err := listItem(item)
			if err != nil {
				return nil, "", err
			}
			list, texts = append(list, one), append(texts, one)
		}
		return list, strings.Join(texts, " "), nil
	}
	return nil, "", errors.New("must be a text or a list of texts")
}

// listItem is a text, or a mapping like {name: a, region: eu}, which stands for
// name=a,region=eu.
func listItem(n *yaml.Node) (string, error) {
	if n.Kind != yaml.MappingNode {
		return scalar(n)
	}
	var parts []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		value, err := scalar(n.Content[i+1])
		if err != nil {
			return "", err
		}
		parts = append(parts, n.Content[i].Value+"="+value)
	}
	return strings.Join(parts, ","), nil
}

func scalar(n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode {
		return "", errors.New("must be a text or a list of texts")
	}
	if n.Tag == "!!null" {
		return "", errors.New("has no value")
	}
	return n.Value, nil
}
