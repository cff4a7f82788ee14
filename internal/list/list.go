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
//	next.waiting.Remove()
//
// The package is pure. Nothing in it is safe for concurrent use.
package list

import "iter"

// Hook is the place of an element on one list. The zero Hook is on none.
type Hook[T any] struct {
	// prev and next link the hooks of a list in a circle, which its ring closes.
	// Invariant: both are nil, and the hook is on no list, or neither is.
	prev, next *Hook[T]
	// element contains the hook. Invariant: a ring has none, so that both ends of a list
	// read as nil.
	element *T
}

// On reports whether the element is on a list.
func (h *Hook[T]) On() bool { return h.next != nil }

// Next returns the element behind this one; nil at the end and off a list.
func (h *Hook[T]) Next() *T {
	if h.next == nil {
		return nil
	}
	return h.next.element
}

// Prev returns the element before this one; nil at the front and off a list.
func (h *Hook[T]) Prev() *T {
	if h.prev == nil {
		return nil
	}
	return h.prev.element
}

// Remove takes the element off its list. Off a list it does nothing.
func (h *Hook[T]) Remove() {
	if h.next == nil {
		return
	}
	h.prev.next, h.next.prev = h.next, h.prev
	h.prev, h.next = nil, nil
}

// InsertBefore puts an element on the list of this one, right before it. hook is the
// element's own and must be on no list; h must be on one.
func (h *Hook[T]) InsertBefore(hook *Hook[T], element *T) {
	if h.next == nil {
		panic("list: there is no list before an element that is on none")
	}
	hook.link(element, h)
}

// link puts an element between next and the hook before next.
func (h *Hook[T]) link(element *T, next *Hook[T]) {
	if h.next != nil {
		panic("list: the element is on a list already")
	}
	h.prev, h.next, h.element = next.prev, next, element
	h.prev.next, next.prev = h, h
}

// List is a list of elements of type T. The zero List is empty. A List must not be copied
// once something was on it.
type List[T any] struct {
	// ring closes the circle of hooks: its next is the front, its prev the back.
	ring Hook[T]
}

// Empty reports whether nothing is on the list.
func (l *List[T]) Empty() bool { return l.ring.next == nil || l.ring.next == &l.ring }

// Front returns the first element; nil when the list is empty.
func (l *List[T]) Front() *T { return l.ring.Next() }

// Back returns the last element; nil when the list is empty.
func (l *List[T]) Back() *T { return l.ring.Prev() }

// PushBack puts an element at the end. hook is the element's own and must be on no list.
func (l *List[T]) PushBack(hook *Hook[T], element *T) {
	hook.link(element, l.closed())
}

// PushFront puts an element before all others. hook is the element's own and must be on no
// list.
func (l *List[T]) PushFront(hook *Hook[T], element *T) {
	hook.link(element, l.closed().next)
}

// closed returns the ring, and closes it before its first use.
func (l *List[T]) closed() *Hook[T] {
	if l.ring.next == nil {
		l.ring.prev, l.ring.next = &l.ring, &l.ring
	}
	return &l.ring
}

// All iterates over the elements from front to back. The loop may remove the element that
// it is given, or move it to another list.
func (l *List[T]) All() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		if l.ring.next == nil {
			return
		}
		for h := l.ring.next; h != &l.ring; {
			next := h.next
			if !yield(h.element) {
				return
			}
			h = next
		}
	}
}
