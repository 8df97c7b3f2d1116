package engine_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"dokku/agent/engine"
	"dokku/agent/engine/memory"
)

// lossy ends a log that is followed early, as some engines do when the process
// ends right after its last line.
type lossy struct {
	*memory.Engine
	lost int
}

func (l lossy) Logs(ctx context.Context, id string, o engine.LogOptions, w io.Writer) error {
	if !o.Follow {
		return l.Engine.Logs(ctx, id, o, w)
	}
	var all bytes.Buffer
	err := l.Engine.Logs(ctx, id, o, &all)
	w.Write(all.Bytes()[:all.Len()-l.lost])
	return err
}

func TestRunOnceLosesNothing(t *testing.T) {
	const text = "one\ntwo\nthree\n"
	for lost := range len(text) + 1 {
		m := memory.New()
		id := m.SetImage("hello", engine.ImageInfo{}).ID
		m.Behave(func(engine.Spec) memory.Behaviour {
			return memory.Behaviour{Output: []string{"one", "two", "three"}, Exits: true}
		})
		if _, err := m.Network(t.Context(), "hello"); err != nil {
			t.Fatal(err)
		}
		var output bytes.Buffer
		_, err := engine.RunOnce(t.Context(), lossy{m, lost}, engine.Spec{
			App: "hello", Kind: engine.KindRelease, Name: "hello.release.1", Image: id,
		}, &output)
		if err != nil || output.String() != text {
			t.Errorf("with %d bytes lost: got %q, %v", lost, output.String(), err)
		}
	}
}
