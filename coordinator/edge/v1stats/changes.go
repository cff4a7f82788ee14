package v1stats

import (
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/Automattic/jetmon/coordinator/edge/channel/wpcom"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/obs"
)

// ChangeLog writes v1's status-change.log. Its methods are safe for concurrent use.
type ChangeLog struct {
	path string

	mu    sync.Mutex
	hosts map[string]string
	file  *os.File
	edge  obs.Edge
}

// OpenChangeLog opens the file for appending. hosts has the hosts of the verifliers by name.
func OpenChangeLog(path string, hosts map[string]string, log *slog.Logger) (*ChangeLog, error) {
	l := &ChangeLog{path: path, hosts: hosts, edge: obs.Edge{Log: log, What: "writing " + path, Level: slog.LevelWarn}}
	return l, l.Reopen()
}

// Reopen opens the file anew, after it was moved away.
func (l *ChangeLog) Reopen() error {
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close()
	}
	l.file = file
	return nil
}

// Reload takes the hosts of other verifliers, and opens the file anew.
func (l *ChangeLog) Reload(hosts map[string]string) error {
	l.mu.Lock()
	l.hosts = hosts
	l.mu.Unlock()
	return l.Reopen()
}

// Changed writes the line of a change that is in the store, as v1 would have.
func (l *ChangeLog) Changed(c record.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := fmt.Sprintf("[%s] [INFO] status_change - %s: %s\n", c.At.UTC().Format("2006-01-02T15:04:05.000Z"), event(c.To), wpcom.V1(c, l.hosts))
	_, err := l.file.WriteString(line)
	l.edge.Note(err)
}

// Close closes the file.
func (l *ChangeLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}

// event is v1's word for a change to a status.
func event(to check.Status) string {
	switch to {
	case check.StatusDown:
		return "site_down"
	case check.StatusConfirmedDown:
		return "still_down"
	default:
		return "status_change"
	}
}
