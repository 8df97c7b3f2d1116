package hooks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"

	"dokku/agent/app"
	"dokku/agent/repo"
	"dokku/agent/sources"
	"dokku/build/source"
)

// tail passes git's output on and keeps its end, where git says what became of the pack. It
// tells nobody else: no hook runs without the objects.
type tail struct {
	to  io.Writer
	end []byte
}

// tailLength is enough for git's report of one ref and for its last message before that.
const tailLength = 8 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.end = append(t.end, p[max(0, len(p)-tailLength):]...)
	t.end = append([]byte(nil), t.end[max(0, len(t.end)-tailLength):]...)
	return t.to.Write(p)
}

// unpacked matches what git reports of the pack, if that is not "ok".
var unpacked = regexp.MustCompile(`[0-9a-f]{4}unpack ([^o\n]|o[^k\n]|ok[^\n])`)

// refusal returns why git could not take the pack; nil: it could, or there was none. Git has
// said it in its own words, which do not name our settings.
func (t *tail) refusal(name string, set app.Settings) error {
	if !unpacked.Match(t.end) {
		return nil
	}
	switch {
	case bytes.Contains(t.end, []byte("emory")) && !bytes.Contains(t.end, []byte("maximum allowed size")):
		n, err := set.GitLimit(repo.PropMemory, repo.DefaultMemory)
		if err != nil {
			return err
		}
		return tooLarge(name, n)
	case bytes.Contains(t.end, []byte("died of signal 24")): // SIGXCPU
		return fmt.Errorf("cannot take this push to %s: git computed for it longer than it may (%s); push a part of the history first, or run git repack -adF in your repository and push again",
			name, repo.MaxTime)
	case bytes.Contains(t.end, []byte("maximum allowed size")):
		n, err := sources.MaxPack(set)
		if err != nil {
			return err
		}
		return fmt.Errorf("cannot take this push to %s: it has more than %s; push a part of the history first, or on the server: dokku git:set --global %s BYTES",
			name, source.Bytes(n), sources.PropMaxPack)
	}
	return errors.New("git could not read what was pushed; run git fsck in your repository and push again")
}
