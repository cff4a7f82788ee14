package roster

// names numbers the names of nodes. Number 0 is the empty name, for no node.
type names struct {
	list   []string
	byName map[string]uint16
}

func newNames() names {
	return names{list: []string{""}, byName: map[string]uint16{"": 0}}
}

// add finds or makes the number of a name. When the numbers run out, further names share
// number 0: the node of the newest check is then unknown.
func (n *names) add(name string) uint16 {
	i, ok := n.byName[name]
	if !ok && len(n.list) < 1<<16 {
		i = uint16(len(n.list))
		n.list = append(n.list, name)
		n.byName[name] = i
	}
	return i
}
