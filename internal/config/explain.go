package config

// Row is a key of a file, as `jetmon config explain` shows it.
type Row struct {
	Key   string
	Line  int
	Value string
	// Effect is one of the constants below; Was is the meaning in v1, Here what it does here.
	Effect, Was, Here string
}

// The effects of a key.
const (
	Used    = "used"
	NoUse   = "no effect"
	Refused = "refused"
)

// Table returns the whole table of v1's keys.
func Table(file Kind) []Row {
	var rows []Row
	for _, k := range Of(file) {
		rows = append(rows, k.row())
	}
	return rows
}

func (k Key) row() Row {
	r := Row{Key: k.Name, Effect: NoUse, Was: k.Was, Here: k.Here}
	if k.Command != "" {
		r.Effect = Used
	}
	return r
}

// Explain returns a row for each setting of the file. help describes the flags of Jetmon's
// own file; an unknown one has none.
func (f *File) Explain(help map[string]string) []Row {
	var rows []Row
	for _, s := range f.Settings {
		r := s.Key.row()
		r.Line, r.Value = s.Line, s.Shown()
		if f.Kind == Own {
			r.Effect, r.Was, r.Here = Used, "-", help[s.Key.Name]
			if r.Here == "" {
				r.Effect, r.Here = Refused, "no command has such a flag"+didYouMean(s.Key.Name, keysOf(help))
			}
		}
		if !s.Known && f.Kind != Own && f.Kind != Database {
			r.Was = "-"
		}
		if s.Note != "" {
			r.Here += " " + s.Note
		}
		if s.Err != nil {
			r.Effect, r.Here = Refused, s.Err.Error()
		}
		rows = append(rows, r)
	}
	return rows
}

func keysOf(m map[string]string) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	return all
}
