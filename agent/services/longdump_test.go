package services_test

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/services"
)

// TestLongDump: a dump of 1 GB passes through with no more memory than the buffers of a copy.
func TestLongDump(t *testing.T) {
	b := newBench(t)
	k := b.kind("postgres")
	block := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	const size = 1 << 30
	b.engine.Behave(func(s engine.Spec) memory.Behaviour {
		got, _ := b.fake.Behave(s)
		keep := got.Keep
		got.Keep = func(v memory.Volume, argv []string, st engine.Streams) int {
			switch argv[0] {
			case "pg_dump":
				for n := 0; n < size; n += len(block) {
					st.Stdout.Write(block)
				}
				return 0
			case "pg_restore":
				n, _ := io.Copy(io.Discard, st.Stdin)
				if n != size {
					return 1
				}
				return 0
			}
			return keep(v, argv, st)
		}
		return got
	})
	b.create("postgres", "db", services.Options{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := b.Clone(b.ctx, k, "db", "copy", services.Options{}, event.Log{})
	runtime.ReadMemStats(&after)
	b.ok(err)
	if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
		t.Errorf("it allocates %d bytes", used)
	}
}
