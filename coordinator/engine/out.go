package engine

import "github.com/Automattic/jetmon/coordinator/dispatch"

// Out is how many checks a session has out; none when it has ended.
func (e *Engine) Out(id dispatch.SessionID) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, info := range e.core.Sessions() {
		if info.ID == id {
			return info.Open
		}
	}
	return 0
}
