package main

import (
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// grammar returns what a parser has to know of the table for a command line: the flags of no command,
// and the command that is meant, with its kin where it needs them. To read the tags of all commands
// takes longer than most of them run.
func (t *commands) grammar(args []string) (root any, some []kong.Option) {
	if len(args) == 0 || slices.Contains(aboutAll, args[0]) {
		return t, nil
	}
	there, files := false, len(readable(args[0])) > 0
	for field, value := range reflect.ValueOf(t).Elem().Fields() {
		if _, is := field.Tag.Lookup("cmd"); !is || field.Tag.Get("name") != "" {
			continue
		}
		name := strings.ToLower(field.Name)
		there = there || name == args[0]
		// A configuration file has the flags of all commands that read one.
		if name == args[0] || files && len(readable(name)) > 0 {
			some = append(some, kong.DynamicCommand(name, field.Tag.Get("help"), "", value.Addr().Interface()))
		}
	}
	if !there {
		return t, nil
	}
	return &t.programFlags, some
}

// aboutAll are the commands that look at all commands.
var aboutAll = []string{"completion", "man"}
