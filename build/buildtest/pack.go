package buildtest

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// The kinds of a pack's objects, as git numbers them.
const (
	PackCommit = 1
	PackTree   = 2
	PackBlob   = 3
	PackTag    = 4
	packDelta  = 7 // from the object with an id
)

// Pack is a pack of any objects, sensible or not, as a client sends it.
type Pack struct {
	body  bytes.Buffer
	count uint32
	zip   *zlib.Writer
	// Claims is the number of objects in the pack's head; 0: the true one.
	Claims uint32
}

// ObjectID returns the id of an object.
func ObjectID(kind int, content []byte) string {
	name := map[int]string{PackCommit: "commit", PackTree: "tree", PackBlob: "blob", PackTag: "tag"}[kind]
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", name, len(content))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

// Add adds an object and returns its id.
func (p *Pack) Add(kind int, content []byte) string {
	p.head(kind, len(content))
	p.deflate(content)
	return ObjectID(kind, content)
}

// AddTree adds a tree of entries "MODE NAME" and the ids that follow them, in turn.
func (p *Pack) AddTree(entries ...string) string {
	return p.Add(PackTree, TreeContent(entries...))
}

// TreeContent is the content of a tree: see AddTree.
func TreeContent(entries ...string) []byte {
	var b bytes.Buffer
	for i := 0; i < len(entries); i += 2 {
		id, _ := hex.DecodeString(entries[i+1])
		fmt.Fprintf(&b, "%s\x00%s", entries[i], id)
	}
	return b.Bytes()
}

// AddCommit adds a commit of a tree.
func (p *Pack) AddCommit(tree string, parents ...string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", tree)
	for _, parent := range parents {
		fmt.Fprintf(&b, "parent %s\n", parent)
	}
	b.WriteString("author A <a@example.com> 1700000000 +0000\ncommitter C <c@example.com> 1700000000 +0000\n\nmessage\n")
	return p.Add(PackCommit, b.Bytes())
}

// AddDelta adds a difference from the object with an id.
func (p *Pack) AddDelta(base string, delta []byte) {
	p.head(packDelta, len(delta))
	id, _ := hex.DecodeString(base)
	p.body.Write(id)
	p.deflate(delta)
}

// Repeat is the difference that makes times copies of a base of size bytes, at most 64 KiB.
func Repeat(size, times int) []byte {
	b := binary.AppendUvarint(nil, uint64(size))
	b = binary.AppendUvarint(b, uint64(size)*uint64(times))
	one := []byte{0x80 | 0x10 | 0x20, byte(size), byte(size >> 8)}
	if size == 1<<16 {
		one = []byte{0x80} // git's size of 0
	}
	return append(b, bytes.Repeat(one, times)...)
}

func (p *Pack) head(kind, size int) {
	p.count++
	c := byte(kind<<4 | size&15)
	for size >>= 4; size > 0; size >>= 7 {
		p.body.WriteByte(c | 0x80)
		c = byte(size & 0x7f)
	}
	p.body.WriteByte(c)
}

func (p *Pack) deflate(content []byte) {
	if p.zip == nil { // to make one takes a millisecond
		p.zip, _ = zlib.NewWriterLevel(&p.body, zlib.BestSpeed)
	}
	p.zip.Reset(&p.body)
	p.zip.Write(content)
	p.zip.Close()
}

// Bytes returns the pack.
func (p *Pack) Bytes() []byte {
	n := p.count
	if p.Claims != 0 {
		n = p.Claims
	}
	b := binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), n)
	b = append(b, p.body.Bytes()...)
	sum := sha1.Sum(b)
	return append(b, sum[:]...)
}

// Quarantine makes git index the pack in a folder of objects of its own, where a push has
// it, and returns that.
func (p *Pack) Quarantine(r Repo) string {
	r.T.Helper()
	dir := filepath.Join(r.T.TempDir(), "incoming")
	if err := os.MkdirAll(filepath.Join(dir, "pack"), 0o700); err != nil {
		r.T.Fatal(err)
	}
	b := p.Bytes()
	name := filepath.Join(dir, "pack", fmt.Sprintf("pack-%x.pack", b[len(b)-20:]))
	if err := os.WriteFile(name, b, 0o600); err != nil {
		r.T.Fatal(err)
	}
	r.Git("index-pack", name)
	return dir
}

// Requests is what a client sends to git receive-pack: the refs that are to be at an id, and
// the pack.
func (p *Pack) Requests(refs map[string]string) []byte {
	var b bytes.Buffer
	line := func(text string) { fmt.Fprintf(&b, "%04x%s", len(text)+4, text) }
	end := "\x00report-status side-band-64k\n"
	for name, id := range refs {
		line("0000000000000000000000000000000000000000 " + id + " " + name + end)
		end = "\n"
	}
	b.WriteString("0000")
	b.Write(p.Bytes())
	return b.Bytes()
}
