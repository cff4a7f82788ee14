// Package list provides doubly linked lists whose links lie in the elements. Pushing and
// removing allocate nothing, and an element leaves its list without a search.
//
// An element has a Hook for each list that it may be on:
//
//	type job struct {
//		waiting list.Hook[job]
//	}
//
//	var queue list.List[job]
//	queue.PushBack(&j.waiting, j)
//	next := queue.Front()
//	queue.Remove(&next.waiting)
//
// A list takes 16 bytes, a hook 24. An empty list has no pointer, so that the garbage
// collector has nothing to follow.
//
// The package is pure. Nothing in it is safe for concurrent use.
package list

import "iter"

// Hook is the place of an element on one list. The zero Hook is on none.
type Hook[T any] struct {
	// prev and next are the hooks of the neighbours; nil at the ends.
	prev, next *Hook[T]
	// element contains the hook. Invariant: it is nil, and so are prev and next, unless the
	// element is on a list.
	element *T
}

// On reports whether the element is on a list.
func (h *Hook[T]) On() bool { return h.element != nil }

// Next returns the element behind this one; nil at the end and off a list.
func (h *Hook[T]) Next() *T { return h.next.get() }

// Prev returns the element before this one; nil at the front and off a list.
func (h *Hook[T]) Prev() *T { return h.prev.get() }

func (h *Hook[T]) get() *T {
	if h == nil {
		return nil
	}
	return h.element
}

// List is a list of elements of type T. The zero List is empty.
type List[T any] struct {
	// front and back are the hooks at the ends. Invariant: both are nil, and the list is
	// empty, or neither is.
	front, back *Hook[T]
}

// Empty reports whether nothing is on the list.
func (l *List[T]) Empty() bool { return l.front == nil }

// Front returns the first element; nil when the list is empty.
func (l *List[T]) Front() *T { return l.front.get() }

// Back returns the last element; nil when the list is empty.
func (l *List[T]) Back() *T { return l.back.get() }

// PushBack puts an element at the end. hook is the element's own and must be on no list.
func (l *List[T]) PushBack(hook *Hook[T], element *T) { l.link(hook, element, l.back, nil) }

// PushFront puts an element before all others. hook is the element's own and must be on no
// list.
func (l *List[T]) PushFront(hook *Hook[T], element *T) { l.link(hook, element, nil, l.front) }

// InsertBefore puts an element right before another of this list. hook is the element's own
// and must be on no list; mark is the other's and must be on this one.
func (l *List[T]) InsertBefore(hook *Hook[T], element *T, mark *Hook[T]) {
	if !mark.On() {
		panic("list: the element to insert before is on no list")
	}
	l.link(hook, element, mark.prev, mark)
}

// link puts an element between two neighbours; nil stands for an end.
func (l *List[T]) link(h *Hook[T], element *T, prev, next *Hook[T]) {
	if h.On() {
		panic("list: the element is on a list already")
	}
	h.prev, h.next, h.element = prev, next, element
	if prev != nil {
		prev.next = h
	} else {
		l.front = h
	}
	if next != nil {
		next.prev = h
	} else {
		l.back = h
	}
}

// Remove takes an element off this list. If the element is on no list, Remove does nothing;
// it must not be on another.
func (l *List[T]) Remove(h *Hook[T]) {
	if !h.On() {
		return
	}
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		l.front = h.next
	}
	if h.next != nil {
		h.next.prev = h.prev
	} else {
		l.back = h.prev
	}
	h.prev, h.next, h.element = nil, nil, nil
}

// All iterates over the elements from front to back. The loop may remove the element that
// it is given, or move it to another list.
func (l *List[T]) All() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for h := l.front; h != nil; {
			next := h.next
			if !yield(h.element) {
				return
			}
			h = next
		}
	}
}
