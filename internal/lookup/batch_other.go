//go:build !linux

package lookup

// outbox sends packets one by one: only Linux has a call for several.
type outbox struct{}

func (o *outbox) open() {}

func (o *outbox) send(k *socket, attempts []*attempt) error { return sendEach(k, attempts) }

func (k *socket) receive() error { return receiveEach(k) }
