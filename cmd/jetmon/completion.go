package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCommand is `jetmon completion SHELL`.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Shell: bash, zsh or fish."`
}

// The scripts ask the program itself what a word can be, so that they are good for every
// version of it. :files among the answers means the names of files.
var completionScripts = map[string]string{
	"bash": `# bash completion for jetmon; load it with: source <(jetmon completion bash)
_jetmon() {
    local words=() i line
    for ((i = 1; i <= COMP_CWORD; i++)); do
        # bash cuts words at "=" and ":"; put them together again.
        if [[ ${#words[@]} -gt 0 && ( ${COMP_WORDS[i]} == [=:]* || ${COMP_WORDS[i-1]} == [=:] ) && $i -gt 1 ]]; then
            words[${#words[@]}-1]+="${COMP_WORDS[i]}"
        else
            words+=("${COMP_WORDS[i]}")
        fi
    done
    local last="${words[${#words[@]}-1]}" cut=""
    [[ $last == --*=* ]] && cut="${last%%=*}="
    COMPREPLY=()
    while IFS= read -r line; do
        line="${line%%$'\t'*}"
        if [[ $line == :files ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "${last#"$cut"}")
            continue
        fi
        COMPREPLY+=("${line#"$cut"}")
    done < <("${COMP_WORDS[0]}" __complete -- "${words[@]}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
}
complete -F _jetmon jetmon
`,
	"zsh": `#compdef jetmon
# zsh completion for jetmon; put it into a folder of $fpath as _jetmon.
_jetmon() {
    local -a found
    local line files=0
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            files=1
        else
            found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        fi
    done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( ${#found} )) && _describe -V jetmon found
    if (( files )); then
        compset -P '--*='
        _files
    fi
    return 0
}
if [[ $funcstack[1] == _jetmon ]]; then
    _jetmon "$@"
else
    compdef _jetmon jetmon
fi
`,
	"fish": `# fish completion for jetmon; load it with: jetmon completion fish | source
function __jetmon_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] __complete -- $words[2..-1] 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path (string replace -r '^--[^=]*=' '' -- $words[-1])
        else
            echo $line
        end
    end
end
complete -c jetmon -f -a '(__jetmon_complete)'
`,
}

// Run prints the script.
func (c *completionCommand) Run(p *program) error {
	_, err := fmt.Fprint(p.Out, completionScripts[c.Shell])
	return err
}

// completeCommand is `jetmon __complete -- WORD...`: the words after the program's, the last
// one being written.
type completeCommand struct {
	Words []string `arg:"" optional:""`
}

// fileNames stands for the names of files.
const fileNames = ":files"

// Run prints what the last word can be, a line each, with a tab and what it means.
func (c *completeCommand) Run(p *program, app *kong.Kong) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	for _, line := range p.complete(app.Model.Node, words) {
		if _, err := fmt.Fprintln(p.Out, line); err != nil {
			return err
		}
	}
	return nil
}

// complete returns what the last of the words can be.
func (p *program) complete(node *kong.Node, words []string) []string {
	last := words[len(words)-1]
	var flag *kong.Flag // the one whose value follows
	arguments := 0
	for _, word := range words[:len(words)-1] {
		switch {
		case flag != nil:
			flag = nil
		case strings.HasPrefix(word, "-") && word != "-":
			if f := flagNamed(node, word); f != nil && takesValue(f) && !strings.Contains(word, "=") {
				flag = f
			}
		default:
			child, ok := find(node, []string{word})
			if !ok {
				arguments++
			}
			node = child
		}
	}
	switch name, value, given := strings.Cut(last, "="); {
	case flag != nil:
		return p.valuesOf(flag.Value, "", last)
	case given && strings.HasPrefix(last, "--"):
		if f := flagNamed(node, name); f != nil {
			return p.valuesOf(f.Value, name+"=", value)
		}
		return nil
	case strings.HasPrefix(last, "-"):
		return completeFlags(node, last)
	}
	return p.completeArgument(node, arguments, last)
}

// flagNamed returns the flag that a word names, as --limit, --limit=3 or -o.
func flagNamed(node *kong.Node, word string) *kong.Flag {
	word, _, _ = strings.Cut(word, "=")
	for _, f := range flagsOf(node) {
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			if word == "--"+name {
				return f
			}
		}
		if f.Short != 0 && word == "-"+string(f.Short) {
			return f
		}
	}
	if node.DefaultCmd != nil {
		return flagNamed(node.DefaultCmd, word)
	}
	return nil
}

func completeFlags(node *kong.Node, begin string) (lines []string) {
	flags := flagsOf(node)
	if node.DefaultCmd != nil {
		flags = flagsOf(node.DefaultCmd) // which have those of node
	}
	for _, f := range flags {
		name := "--" + f.Name
		if takesValue(f) {
			name += "="
		}
		if strings.HasPrefix(name, begin) {
			lines = append(lines, name+"\t"+summary(f.Help))
		}
	}
	return lines
}

// completeArgument completes a command, or the argument of one.
func (p *program) completeArgument(node *kong.Node, arguments int, begin string) (lines []string) {
	for _, child := range childrenOf(node) {
		if strings.HasPrefix(child.Name, begin) {
			lines = append(lines, child.Name+"\t"+summary(child.Help))
		}
	}
	if node.DefaultCmd != nil {
		node = node.DefaultCmd
	}
	if len(node.Positional) > 0 {
		lines = append(lines, p.valuesOf(node.Positional[min(arguments, len(node.Positional)-1)], "", begin)...)
	}
	return lines
}

// valuesOf returns what a value can be, each with prefix before it.
func (p *program) valuesOf(v *kong.Value, prefix, begin string) (lines []string) {
	words := wordsOf(v)
	switch {
	case v.Name == "context" || v.Name == "name" && strings.HasPrefix(v.Help, "Name of the context"):
		if _, f, err := p.contexts(); err == nil {
			words = slices.Sorted(maps.Keys(f.Contexts))
		}
	case v.Name == "symptom":
		words = symptomNames()
	case v.Name == "file" || v.Name == "dir" || v.Flag != nil && (v.Flag.PlaceHolder == "FILE" || v.Flag.PlaceHolder == "DIR"):
		return []string{fileNames}
	}
	for _, word := range words {
		if strings.HasPrefix(word, begin) {
			lines = append(lines, prefix+word+"\t"+v.Name)
		}
	}
	return lines
}

// summary returns the first sentence of a help.
func summary(help string) string {
	for _, end := range []string{". ", ": ", "; "} {
		help, _, _ = strings.Cut(help, end)
	}
	return strings.TrimSuffix(help, ".")
}
