package lookup

import "time"

// sendEach sends attempts one by one, on any system.
func sendEach(k *socket, attempts []*attempt) error {
	_ = k.conn.SetWriteDeadline(time.Now().Add(firstPatience))
	for _, a := range attempts {
		if _, err := k.conn.Write(a.packet); err != nil {
			return err
		}
	}
	return nil
}

// receiveEach passes packets to the socket one by one, on any system, until nobody waits.
func receiveEach(k *socket) error {
	b := make([]byte, udpBuffer)
	one := [][]byte{nil}
	for {
		n, err := k.conn.Read(b)
		if err != nil {
			return err
		}
		if one[0] = b[:n]; !k.take(one) {
			return nil
		}
	}
}
