package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// wordsTag is the tag of a flag that lists the values that it takes, where kong's enum would
// make the empty text one of them.
const wordsTag = "words"

// wordsOf returns the values that a flag or an argument takes; none when they are open.
func wordsOf(v *kong.Value) []string {
	list := v.Tag.Get(wordsTag)
	if v.Enum != "" {
		list = v.Enum
	}
	if list == "" {
		return nil
	}
	return slices.DeleteFunc(strings.Split(list, ","), func(s string) bool { return s == "" })
}

// childrenOf returns the commands below a command that people see.
func childrenOf(n *kong.Node) []*kong.Node {
	return slices.DeleteFunc(slices.Clone(n.Children), func(c *kong.Node) bool { return c.Hidden })
}

// flagsOf returns the flags that a command takes, its own and those above it.
func flagsOf(n *kong.Node) (flags []*kong.Flag) {
	for _, group := range n.AllFlags(true) {
		flags = append(flags, group...)
	}
	return flags
}

// pathOf returns the words of a command, without that of the program.
func pathOf(n *kong.Node) []string {
	if n.Parent == nil {
		return nil
	}
	return append(pathOf(n.Parent), n.Name)
}

// walk calls f for a command and all below it that people see.
func walk(n *kong.Node, f func(*kong.Node)) {
	f(n)
	for _, child := range childrenOf(n) {
		walk(child, f)
	}
}

// find returns the command with these words.
func find(root *kong.Node, path []string) (*kong.Node, bool) {
	for _, word := range path {
		i := slices.IndexFunc(root.Children, func(c *kong.Node) bool { return c.Name == word && !c.Hidden })
		if i < 0 {
			return root, false
		}
		root = root.Children[i]
	}
	return root, true
}

// takesValue reports whether a flag is followed by a value.
func takesValue(f *kong.Flag) bool { return !f.IsBool() && !f.IsCounter() && f.Name != "help" }
