package sources

import (
	"fmt"
	"io"

	"dokku/agent/deploy"
	"dokku/build/source"
)

// roomStep is how many bytes go to the engine before its disk is looked at again.
const roomStep = 64 << 20

// A roomWriter passes an image on to the engine. It fails after limit bytes, whatever they
// were compressed to, and where the disk has no room: the engine writes all that it gets,
// and then once more as layers.
type roomWriter struct {
	w             io.Writer
	limit         int64
	room          func() int64
	written, seen int64 // seen is written at the last look
}

// Write implements io.Writer.
func (r *roomWriter) Write(p []byte) (int, error) {
	if r.written += int64(len(p)); r.written > r.limit {
		return 0, &sizeError{r.limit}
	}
	if r.written-r.seen >= roomStep {
		r.seen = r.written
		if r.room() < r.written {
			return 0, fmt.Errorf("the server's disk has no room for it after %s; %s", source.Bytes(r.written), deploy.SpaceFix)
		}
	}
	return r.w.Write(p)
}
