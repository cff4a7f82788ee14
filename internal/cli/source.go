package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/sitefile"
	"github.com/Automattic/jetmon/internal/transfer"
)

// The formats of other monitors that can be imported, beside those of sitefile.
const (
	// Kuma is the backup of Uptime Kuma.
	Kuma = "uptime-kuma"
	// Gatus is the configuration of Gatus.
	Gatus = "gatus"
)

// guessBytes is how much of a file is looked at to guess its format.
const guessBytes = 64 << 10

// OpenSource reads a file in a format, which is guessed from the file's name and content when
// it is empty. It returns what Lines counts: lines or monitors. What is left out of the
// monitors of others is written to remarks.
func OpenSource(r io.Reader, name, formatName string, remarks io.Writer) (Source, string, error) {
	in := bufio.NewReaderSize(r, guessBytes)
	if formatName == "" {
		head, err := in.Peek(guessBytes)
		if err != nil && len(head) == 0 && err != io.EOF {
			return nil, "", err
		}
		if formatName, err = guess(name, head); err != nil {
			return nil, "", err
		}
	}
	switch formatName {
	case Kuma:
		return openMonitors(in, transfer.ReadKuma, transfer.KumaLeftOut(), remarks)
	case Gatus:
		return openMonitors(in, transfer.ReadGatus, transfer.GatusLeftOut(), remarks)
	}
	return sitefile.NewReader(in, sitefile.Format(formatName)), "line", nil
}

// The errors of files whose format is known, and cannot be read.
const (
	workbook = "is the workbook of a spreadsheet: save it as CSV"
	document = "is one JSON document: jetmon sites export, or list -o ndjson, writes a site a line, which can be imported"
)

// byID begins what Uptime Kuma's own API calls a list of monitors.
var byID = regexp.MustCompile(`^\{\s*"\d+"\s*:\s*\{`)

// guess guesses the format of a file.
func guess(name string, head []byte) (string, error) {
	head = bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return "", errors.New(workbook)
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv", ".tsv":
		return string(sitefile.CSV), nil
	case ".ndjson", ".jsonl":
		return string(sitefile.NDJSON), nil
	case ".yaml", ".yml":
		return Gatus, nil
	}
	switch line, _, more := bytes.Cut(head, []byte("\n")); {
	case bytes.Contains(head, []byte(`"monitorList"`)), bytes.Contains(head, []byte(`"notificationList"`)),
		bytes.HasPrefix(head, []byte("[")), byID.Match(head):
		return Kuma, nil
	case bytes.HasPrefix(head, []byte("{")) && more && !json.Valid(line), bytes.HasPrefix(head, []byte(`{"sites":`)):
		return "", errors.New(document)
	case bytes.HasPrefix(head, []byte("{")):
		return string(sitefile.NDJSON), nil
	case slices.ContainsFunc([]string{"endpoints:", "services:"}, func(key string) bool {
		return bytes.HasPrefix(head, []byte(key)) || bytes.Contains(head, []byte("\n"+key))
	}):
		return Gatus, nil
	}
	return string(sitefile.CSV), nil
}

// monitors are the sites of another monitor's file.
type monitors struct {
	sites []transfer.Monitor
	at    int
}

func openMonitors(r io.Reader, read func(io.Reader) ([]transfer.Monitor, error), leftOut []string, remarks io.Writer) (Source, string, error) {
	all, err := read(r)
	if err != nil {
		return nil, "", err
	}
	without := 0
	for _, m := range all {
		for _, what := range m.LeftOut {
			fmt.Fprintf(remarks, "monitor %d, %s: left out: %s\n", m.Number, format.Printable(m.Name), format.Printable(what))
		}
		if m.Site == nil {
			without++
		}
	}
	fmt.Fprintf(remarks, "Left out of all: %s.\n%s, %d of them without a site.\n", strings.Join(leftOut, "; "), format.Count(len(all), "monitor"), without)
	sites := slices.DeleteFunc(all, func(m transfer.Monitor) bool { return m.Site == nil })
	return &monitors{sites: sites}, "monitor", nil
}

// Next returns the next site.
func (m *monitors) Next() (*monitorv1.Site, error) {
	if m.at == len(m.sites) {
		return nil, io.EOF
	}
	m.at++
	return m.sites[m.at-1].Site, nil
}

// Line returns the number of the monitor.
func (m *monitors) Line() int64 {
	if m.at == 0 {
		return 0
	}
	return int64(m.sites[m.at-1].Number)
}
