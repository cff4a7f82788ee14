package config

// Kind is the kind of a configuration file.
type Kind uint8

// The kinds.
const (
	// Own is Jetmon's own file: YAML, with the name of a flag in each key.
	Own Kind = iota + 1
	// Monitor is v1's config.json.
	Monitor
	// Veriflier is v1's veriflier.json.
	Veriflier
	// Database is v1's db-config.conf.
	Database
	// Environment is the .env of v1's docker set.
	Environment
)

// String returns the kind in words.
func (k Kind) String() string {
	names := [...]string{"unknown", "Jetmon's own", "v1's config.json", "v1's veriflier.json", "v1's db-config.conf", "v1's docker/.env"}
	if int(k) < len(names) {
		return names[k]
	}
	return names[0]
}

// LegacyKinds returns the kinds of v1's files, in the order of the table.
func LegacyKinds() []Kind { return []Kind{Monitor, Veriflier, Database, Environment} }

// Key is one row of the table: a key of one of v1's files.
type Key struct {
	// File is the kind of file that has the key.
	File Kind
	Name string
	// Command is the command that takes the key; empty when none does.
	Command string
	// Flag is the flag of that command that the key sets. A key may also work together with
	// another one, or set something that has no flag: then it is empty, and Here says it.
	Flag string
	// Secret means that its value is not shown.
	Secret bool
	// Was is its meaning in v1.
	Was string
	// Here is what it does here, or, without a Command, what to do instead.
	Here string

	form form
}

// form is how the value of a key is read and what becomes of it.
type form uint8

const (
	// formIgnored is not read.
	formIgnored form = iota
	// formNumber is a whole number; formSeconds, formMinutes and formMillis become durations.
	formNumber
	formSeconds
	formMinutes
	formMillis
	// formKept is a whole number that finish combines with others.
	formKept
	// formTruth is true or false, formOpposite sets the contrary.
	formTruth
	formOpposite
	// formKeptTruth is a truth that finish combines with others.
	formKeptTruth
	// formDebug is a truth of which true sets the level of the log.
	formDebug
	formText
	// formPath is the path of a file, relative to v1's home.
	formPath
	// formPort becomes an address to listen at.
	formPort
	// formToken is WordPress.com's token, formAccepted the token that callers must show.
	formToken
	formAccepted
	formVerifliers
)

// Lookup returns the row of a key; false when v1 had no such key in that kind of file.
func Lookup(file Kind, name string) (Key, bool) {
	for _, k := range Keys() {
		if k.File == file && k.Name == name {
			return k, true
		}
	}
	return Key{File: file, Name: name}, false
}

// Of returns the rows of one kind of file.
func Of(file Kind) []Key {
	var all []Key
	for _, k := range Keys() {
		if k.File == file {
			all = append(all, k)
		}
	}
	return all
}

// Keys returns the table: every key of v1's files, in their order.
func Keys() []Key {
	var all []Key
	for _, part := range [][]Key{monitorKeys(), monitorRest(), verifliersKeys(), databaseKeys(), environmentKeys()} {
		all = append(all, part...)
	}
	return all
}
