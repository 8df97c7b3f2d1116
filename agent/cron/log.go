package cron

import (
	"bytes"
	"sync"
)

// maxLog bounds the log of a run, in bytes. Its last lines stay, which say why it failed.
const maxLog = 256 << 10

// logLines is the number of lines that are read from the engine at a run's end.
const logLines = 5000

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	data []byte
	cut  bool
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, p...)
	if len(t.data) > 2*maxLog {
		t.cut = true
		t.data = append(t.data[:0], t.data[len(t.data)-maxLog:]...)
	}
	return len(p), nil
}

// bytes returns the end, from the beginning of a line.
func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	data := t.data
	if len(data) > maxLog {
		t.cut, data = true, data[len(data)-maxLog:]
	}
	if t.cut {
		if n := bytes.IndexByte(data, '\n'); n >= 0 {
			data = data[n+1:]
		}
	}
	return bytes.Clone(data)
}
