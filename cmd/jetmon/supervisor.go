package main

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/fault"
)

// supervisor tells the program that started this process, systemd for one, how the role is: by
// datagrams to the socket that NOTIFY_SOCKET names, as sd_notify(3) describes them.
type supervisor struct {
	socket   string // empty: nobody wants to know
	patience time.Duration
	last     string // the last status that was told
}

const (
	// startPatience is how long a role may be not ready before its start counts as done: what
	// it waits for may come after it.
	startPatience = 20 * time.Second
	// askStarting and askStarted are how often a role is asked whether it is ready.
	askStarting = 200 * time.Millisecond
	askStarted  = 5 * time.Second
	// maxStatus bounds a reason, in bytes: a datagram that is too long is lost.
	maxStatus = 1024
)

// newSupervisor finds the supervisor in the environment.
func newSupervisor(lookup func(string) (string, bool)) *supervisor {
	socket, _ := lookup("NOTIFY_SOCKET")
	if name, abstract := strings.CutPrefix(socket, "@"); abstract {
		socket = "\x00" + name
	}
	return &supervisor{socket: socket, patience: startPatience}
}

// follow tells when the role has started, how it is from then on, and that it ends when ctx
// does.
func (s *supervisor) follow(ctx context.Context, ready func() error) {
	if s.socket == "" {
		return
	}
	began := time.Now()
	tick := time.NewTicker(askStarting)
	defer tick.Stop()
	for started, settled := false, false; ; {
		err := ready()
		late := time.Since(began) >= s.patience
		if !started && (err == nil || late) {
			started = s.tell("READY=1") // again next time: without it the role would be ended
		}
		if !settled && (started || late) {
			settled = true
			tick.Reset(askStarted)
		}
		s.status(err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.tell("STOPPING=1\nSTATUS=ending: what is open is finished first")
			return
		}
	}
}

// status tells whether the role works, when that has changed.
func (s *supervisor) status(err error) {
	text := "working"
	if err != nil {
		text = "not ready: " + fault.Clip(strings.ReplaceAll(err.Error(), "\n", "; "), maxStatus)
	}
	if text != s.last && s.tell("STATUS="+text) {
		s.last = text
	}
}

// tell sends a datagram, and reports whether it has gone: a supervisor that is busy takes none for a
// while. One that does not listen is none of the role's trouble.
func (s *supervisor) tell(text string) bool {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	_, err = conn.Write([]byte(text))
	return err == nil
}
