package source

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"dokku/build/buildtest"
)

// FuzzPack: no index and no pack, whatever their bytes are, end the reader of heads.
func FuzzPack(f *testing.F) {
	p := &buildtest.Pack{}
	base := p.Add(buildtest.PackBlob, make([]byte, 1<<10))
	p.AddDelta(base, buildtest.Repeat(1<<10, 3))
	p.AddTree("100644 a", base)
	r := newRepo(f)
	dir := p.Quarantine(r.Repo)
	names, _ := filepath.Glob(filepath.Join(dir, "pack", "*.idx"))
	index, err := os.ReadFile(names[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(index, p.Bytes(), 0, byte(0))
	f.Add(index, p.Bytes(), 1040, byte(0xff))
	f.Add([]byte("\377tOc\x00\x00\x00\x02"), []byte("PACK"), 0, byte(0))
	f.Fuzz(func(t *testing.T, index, data []byte, at int, b byte) {
		index = append([]byte(nil), index...)
		if at >= 0 && at < len(index) {
			index[at] = b
		}
		name := filepath.Join(t.TempDir(), "pack-1.idx")
		if os.WriteFile(name, index, 0o600) != nil || os.WriteFile(name[:len(name)-3]+"pack", data, 0o600) != nil {
			t.Fatal("cannot write the files")
		}
		p, err := openPack(name)
		if err != nil {
			return
		}
		defer p.close()
		_ = p.check(t.Context(), DefaultPackLimits)
		for n := range min(p.count, 100) {
			at := p.offset(n)
			_, _ = p.head(at)
			_, _ = p.weighs(at)
			_, _ = p.kind(at)
			p.find(p.id(n))
		}
		p.find(plumbing.NewHash(buildtest.ObjectID(buildtest.PackBlob, nil)))
	})
}
