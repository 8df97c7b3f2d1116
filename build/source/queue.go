package source

import (
	"container/heap"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// commitQueue yields commits once each, those with the latest children first:
// a fast-forward is then found after about as many commits as it has.
type commitQueue struct {
	seen  map[plumbing.Hash]bool
	items []queued
}

type queued struct {
	hash plumbing.Hash
	time time.Time
}

func (q *commitQueue) push(h plumbing.Hash, t time.Time) {
	if !q.seen[h] {
		q.seen[h] = true
		heap.Push(q, queued{h, t})
	}
}

func (q *commitQueue) pop() (plumbing.Hash, bool) {
	if len(q.items) == 0 {
		return plumbing.ZeroHash, false
	}
	return heap.Pop(q).(queued).hash, true
}

// The methods of heap.Interface.

func (q *commitQueue) Len() int           { return len(q.items) }
func (q *commitQueue) Less(i, j int) bool { return q.items[i].time.After(q.items[j].time) }
func (q *commitQueue) Swap(i, j int)      { q.items[i], q.items[j] = q.items[j], q.items[i] }
func (q *commitQueue) Push(x any)         { q.items = append(q.items, x.(queued)) }

func (q *commitQueue) Pop() any {
	last := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1]
	return last
}
