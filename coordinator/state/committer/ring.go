package committer

// ring is a queue in a circular buffer: every operation takes amortised constant time, and
// the buffer shrinks as it drains after a burst.
type ring[T any] struct {
	items []T
	first int
	count int
}

// leastRing is the smallest size of the buffer.
const leastRing = 16

func (r *ring[T]) len() int { return r.count }

// at returns the place of the i-th item.
func (r *ring[T]) at(i int) *T { return &r.items[(r.first+i)%len(r.items)] }

func (r *ring[T]) pushBack(v T) {
	r.makeRoom()
	r.count++
	*r.at(r.count - 1) = v
}

func (r *ring[T]) pushFront(v T) {
	r.makeRoom()
	r.first = (r.first + len(r.items) - 1) % len(r.items)
	r.count++
	*r.at(0) = v
}

// front returns the oldest item; there must be one.
func (r *ring[T]) front() T { return *r.at(0) }

// popFront removes and returns the oldest item; there must be one.
func (r *ring[T]) popFront() T {
	v, none := r.front(), *new(T)
	*r.at(0) = none // frees what it points at
	r.first = (r.first + 1) % len(r.items)
	r.count--
	if len(r.items) > leastRing && r.count <= len(r.items)/4 {
		r.resize(len(r.items) / 2)
	}
	return v
}

func (r *ring[T]) makeRoom() {
	if r.count == len(r.items) {
		r.resize(max(leastRing, 2*len(r.items)))
	}
}

func (r *ring[T]) resize(n int) {
	items := make([]T, n)
	for i := range r.count {
		items[i] = *r.at(i)
	}
	r.items, r.first = items, 0
}
