package roster

// names numbers the names of nodes. Number 0 is the empty name, of nobody.
type names struct {
	list   []string
	byName map[string]uint16
}

func newNames() names {
	return names{list: []string{""}, byName: map[string]uint16{"": 0}}
}

// add finds or makes the number of a name. The names beyond what fits share number 0: then
// it is not known who was last.
func (n *names) add(name string) uint16 {
	i, ok := n.byName[name]
	if !ok && len(n.list) < 1<<16 {
		i = uint16(len(n.list))
		n.list = append(n.list, name)
		n.byName[name] = i
	}
	return i
}
