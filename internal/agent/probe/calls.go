package probe

import "sync"

// calls are functions waiting to be run on the loop.
type calls struct {
	mu    sync.Mutex
	queue []func()
}

func (c *calls) add(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, f)
}

func (c *calls) run() {
	c.mu.Lock()
	queue := c.queue
	c.queue = nil
	c.mu.Unlock()
	for _, f := range queue {
		f()
	}
}
