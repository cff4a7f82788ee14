package format

import (
	"io"
	"strconv"

	"github.com/Automattic/jetmon/internal/config"
)

// ConfigFile is a configuration file, or, without a File, all keys of a kind of file.
type ConfigFile struct {
	File, Kind string
	Rows       []config.Row
}

// configJSON and rowJSON are the JSON of a ConfigFile.
type configJSON struct {
	File string    `json:"file,omitempty"`
	Kind string    `json:"kind"`
	Keys []rowJSON `json:"keys"`
}

type rowJSON struct {
	Key    string  `json:"key"`
	Line   int     `json:"line,omitempty"`
	Value  *string `json:"value,omitempty"`
	Effect string  `json:"effect"`
	Was    string  `json:"meaning_in_v1"`
	Here   string  `json:"here"`
}

// Config writes what the keys of files mean. In JSON it writes a list of files.
func Config(w io.Writer, files []ConfigFile, asJSON bool) error {
	if asJSON {
		return value(w, configToJSON(files))
	}
	return write(w, func(p *page) {
		for i, f := range files {
			if i > 0 {
				p.line("")
			}
			title := f.Kind
			if f.File != "" {
				title = f.File + " is " + f.Kind
			}
			p.line("%s, %s keys", title, strconv.Itoa(len(f.Rows)))
			p.config(f)
		}
	})
}

func (p *page) config(f ConfigFile) {
	if f.File == "" {
		p.line("KEY\tEFFECT\tMEANING IN V1\tHERE")
		for _, r := range f.Rows {
			p.line("%s\t%s\t%s\t%s", r.Key, r.Effect, r.Was, r.Here)
		}
		return
	}
	p.line("KEY\tVALUE\tEFFECT\tMEANING IN V1\tHERE")
	for _, r := range f.Rows {
		p.line("%s\t%s\t%s\t%s\t%s", r.Key, dash(short(r.Value)), r.Effect, r.Was, r.Here)
	}
}

// maxShown bounds a value in a column.
const maxShown = 40

func short(text string) string {
	runes := []rune(text)
	if len(runes) <= maxShown {
		return text
	}
	return string(runes[:maxShown]) + "..."
}

func configToJSON(files []ConfigFile) []configJSON {
	all := make([]configJSON, len(files))
	for i, f := range files {
		all[i] = configJSON{File: f.File, Kind: f.Kind, Keys: make([]rowJSON, len(f.Rows))}
		for j, r := range f.Rows {
			row := rowJSON{Key: r.Key, Line: r.Line, Effect: r.Effect, Was: r.Was, Here: r.Here}
			if f.File != "" {
				row.Value = &r.Value
			}
			all[i].Keys[j] = row
		}
	}
	return all
}
