package arch

import (
	"maps"
	"path"
	"slices"
)

// checkFloors finds packages that import above their parent, that is, a package that itself
// depends on their parent: a reader who goes down the tree would climb up again. The parent
// of a package is the nearest folder above it that is a package.
func (h *house) checkFloors() []violation {
	byPath := make(map[string]listed, len(h.packages))
	for _, p := range h.packages {
		byPath[p.path] = p
	}
	below := h.dependencies(byPath)
	var found []violation
	for _, p := range h.packages {
		parent, ok := parentOf(p.path, byPath)
		if !ok || p.generated() {
			continue
		}
		for _, i := range p.Imports {
			if name := h.inside(i); h.ours(i) && name != parent && below[name][parent] {
				found = append(found, violation{p.path, "imports " + name + ", which is above its parent " + parent,
					"a package stays on its own floor: move it beside the packages that it serves"})
			}
		}
	}
	return found
}

func parentOf(name string, packages map[string]listed) (string, bool) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, ok := packages[dir]; ok {
			return dir, true
		}
	}
	return "", false
}

// dependencies returns, for each package, the packages of this module that it depends on,
// directly or not.
func (h *house) dependencies(packages map[string]listed) map[string]map[string]bool {
	all := make(map[string]map[string]bool, len(packages))
	var visit func(string) map[string]bool
	visit = func(name string) map[string]bool {
		if known, ok := all[name]; ok {
			return known
		}
		deps := map[string]bool{}
		all[name] = deps // go list reports cycles; this ends the walk of one
		for _, i := range packages[name].Imports {
			if !h.ours(i) {
				continue
			}
			direct := h.inside(i)
			deps[direct] = true
			for d := range visit(direct) {
				deps[d] = true
			}
		}
		return deps
	}
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		visit(name)
	}
	return all
}
