package engine

import "github.com/Automattic/jetmon/coordinator/rules/dispatch"

// Out returns how many checks a session has out; 0 when it has ended.
func (e *Engine) Out(id dispatch.SessionID) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.core.Session(id); s != nil {
		return s.Open()
	}
	return 0
}
