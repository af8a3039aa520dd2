package probe

import "container/heap"

// entry is something that waits for a time.
type entry interface {
	when() int64
	// place is where a queue keeps the entry's position in itself.
	place() *int
}

// queue is a priority queue, the earliest entry first, from which any entry
// can be taken. The zero value is empty.
type queue[E entry] struct{ items items[E] }

func (q *queue[E]) len() int    { return len(q.items) }
func (q *queue[E]) first() E    { return q.items[0] }
func (q *queue[E]) push(e E)    { heap.Push(&q.items, e) }
func (q *queue[E]) changed(e E) { heap.Fix(&q.items, *e.place()) }
func (q *queue[E]) remove(e E)  { heap.Remove(&q.items, *e.place()) }

// items implements heap.Interface.
type items[E entry] []E

func (s items[E]) Len() int           { return len(s) }
func (s items[E]) Less(i, j int) bool { return s[i].when() < s[j].when() }

func (s items[E]) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	*s[i].place(), *s[j].place() = i, j
}

func (s *items[E]) Push(x any) {
	e := x.(E)
	*e.place() = len(*s)
	*s = append(*s, e)
}

func (s *items[E]) Pop() any {
	var none E
	last := len(*s) - 1
	e := (*s)[last]
	(*s)[last] = none
	*s = (*s)[:last]
	return e
}
