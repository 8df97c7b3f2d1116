package null

import (
	"strings"
	"testing"

	"dokku/build"
	"dokku/build/source"
)

func TestNull(t *testing.T) {
	commit := source.Commit{Short: "3f2c1d9"}
	list := build.Builders{Builder{}}
	printed := ""
	r := build.Request{App: "hello", Commit: commit, Selected: build.Null, Image: "sha256:1", Header: func(h build.Header) { printed = h.Choice.String() }}
	result, err := list.Build(t.Context(), r)
	if err != nil || result.ImageID != "sha256:1" || printed != "with null from an image, selected by builder:set" {
		t.Errorf("got %+v, %v, printed %q", result, err, printed)
	}
	r.Image = ""
	if _, err := list.Build(t.Context(), r); err == nil || !strings.Contains(err.Error(), "give one: dokku git:from-image hello IMAGE; dokku builder:set hello selected BUILDER") {
		t.Errorf("without an image: %v", err)
	}
	if reason, ok, err := (Builder{}).Detect(t.Context(), build.Request{Image: "sha256:1"}); reason != "" || ok || err != nil {
		t.Errorf("it is detected: %q, %t, %v", reason, ok, err)
	}
}
