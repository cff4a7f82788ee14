package gateway

func change() []int {
	assigned = nil
	indexed["b"] = 2
	delete(deleted, "a")
	field.n = 1
	counted[0]++
	_ = &addressed
	for ranged[0] = range 3 {
	}
	return append(appended, 2)
}

func shadows(fine map[string]int) int {
	fine["b"] = 2
	assigned := []int{1}
	assigned[0] = 2
	return fine["a"] + assigned[0]
}

func (f *fault) init() { f.n = len(fine) }
