package source

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"golang.org/x/sys/unix"
)

// The kinds of a pack's entries that are differences: from an entry that lies before in the
// pack, or from the object with an id.
const (
	offsetDelta = 6
	refDelta    = 7
)

// A packHead is what a pack says about an object before the object is unpacked.
type packHead struct {
	kind int   // git's number of the kind
	size int64 // bytes as they are stored, without compression: of a difference, the difference
	// result is the number of bytes of the object itself.
	result int64
	base   int64 // position of the base; -1: there is none here
}

// pack reads the heads of a pack's objects. It is safe for several goroutines.
type pack struct {
	name  string
	index []byte // mapped
	data  *os.File
	count int

	mu     sync.Mutex
	buf    *bufio.Reader
	zip    io.ReadCloser
	weight map[int64]weight
}

// weight is what go-git needs to put an object together.
type weight struct {
	bytes int64 // of all differences, and of the base at their end
	depth int
}

// indexHead is the length of an index's magic number, version and table of first bytes.
const indexHead = 8 + 256*4

// errPack is returned for a pack whose head or index is damaged.
var errPack = errors.New("the pack is damaged; run git fsck in your repository and push again")

// openPack opens the pack of an index.
func openPack(index string) (*pack, error) {
	f, err := os.Open(index)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < indexHead+40 {
		return nil, errPack
	}
	p := &pack{name: filepath.Base(strings.TrimSuffix(index, ".idx")), weight: map[int64]weight{}}
	if p.index, err = unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", index, err)
	}
	p.count = int(binary.BigEndian.Uint32(p.index[indexHead-4:]))
	if !bytes.HasPrefix(p.index, []byte("\377tOc\x00\x00\x00\x02")) || info.Size() < indexHead+int64(p.count)*28+40 {
		p.close()
		return nil, errPack
	}
	if p.data, err = os.Open(strings.TrimSuffix(index, ".idx") + ".pack"); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *pack) close() {
	unix.Munmap(p.index)
	if p.data != nil {
		p.data.Close()
	}
}

// id returns the id of the nth object.
func (p *pack) id(n int) plumbing.Hash {
	return plumbing.Hash(p.index[indexHead+n*20 : indexHead+n*20+20])
}

// offset returns the position of the nth object.
func (p *pack) offset(n int) int64 {
	at := indexHead + p.count*24 + n*4
	off := binary.BigEndian.Uint32(p.index[at:])
	if off < 1<<31 {
		return int64(off)
	}
	at = indexHead + p.count*28 + int(off&(1<<31-1))*8
	if at+8 > len(p.index) {
		return -1
	}
	return int64(binary.BigEndian.Uint64(p.index[at:]) & math.MaxInt64)
}

// find returns the position of an object; -1: the pack does not have it.
func (p *pack) find(h plumbing.Hash) int64 {
	first := func(n int) int { // of the objects that begin with the byte n
		if n == 0 {
			return 0
		}
		return min(int(binary.BigEndian.Uint32(p.index[8+(n-1)*4:])), p.count)
	}
	low, high := first(int(h[0])), first(int(h[0])+1)
	for low < high {
		middle := (low + high) / 2
		id := p.id(middle)
		switch c := bytes.Compare(id[:], h[:]); {
		case c == 0:
			return p.offset(middle)
		case c < 0:
			low = middle + 1
		default:
			high = middle
		}
	}
	return -1
}

// head reads the head of the object at a position.
func (p *pack) head(at int64) (packHead, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.headLocked(at)
}

func (p *pack) headLocked(at int64) (h packHead, err error) {
	if at < 0 {
		return h, errPack
	}
	if p.buf == nil {
		p.buf = bufio.NewReaderSize(nil, 512)
	}
	p.buf.Reset(io.NewSectionReader(p.data, at, math.MaxInt64-at))
	c, err := p.buf.ReadByte()
	if err != nil {
		return h, errPack
	}
	h.kind, h.size, h.base = int(c>>4&7), int64(c&15), -1
	for shift := 4; c&0x80 != 0; shift += 7 {
		if c, err = p.buf.ReadByte(); err != nil || shift > 55 {
			return h, errPack
		}
		h.size |= int64(c&0x7f) << shift
	}
	h.result = h.size
	switch h.kind {
	case offsetDelta:
		back, err := p.back()
		if err != nil || back <= 0 || back > at {
			return h, errPack
		}
		h.base = at - back
	case refDelta:
		var id plumbing.Hash
		if _, err := io.ReadFull(p.buf, id[:]); err != nil {
			return h, errPack
		}
		h.base = p.find(id)
	default:
		return h, nil
	}
	h.result, err = p.deltaResult()
	return h, err
}

// back reads the distance of an offsetDelta from its base.
func (p *pack) back() (int64, error) {
	var n int64
	for i := 0; ; i++ {
		c, err := p.buf.ReadByte()
		if err != nil || i > 8 {
			return 0, errPack
		}
		n = n<<7 | int64(c&0x7f)
		if c&0x80 == 0 {
			return n, nil
		}
		n++
	}
}

// deltaResult reads the length of what a difference makes. It unpacks its first bytes alone.
func (p *pack) deltaResult() (int64, error) {
	var err error
	if p.zip == nil {
		p.zip, err = zlib.NewReader(p.buf)
	} else {
		err = p.zip.(zlib.Resetter).Reset(p.buf, nil)
	}
	if err != nil {
		return 0, errPack
	}
	var b [20]byte
	n, _ := io.ReadFull(p.zip, b[:]) // a difference may be shorter
	rest := b[:n]
	var sizes [2]uint64 // of the base, of the result
	for i := range sizes {
		v, used := binary.Uvarint(rest)
		if used <= 0 || v > math.MaxInt64 {
			return 0, errPack
		}
		sizes[i], rest = v, rest[used:]
	}
	return int64(sizes[1]), nil
}

// weighs returns what go-git needs to put the object at a position together.
func (p *pack) weighs(at int64) (weight, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var chain []int64
	var sizes []int64
	var w weight
	for {
		known, ok := p.weight[at]
		if ok {
			w = known
			break
		}
		h, err := p.headLocked(at)
		if err != nil {
			return w, err
		}
		if h.kind != offsetDelta && h.kind != refDelta || h.base < 0 {
			w = weight{bytes: h.result}
			break
		}
		if len(chain) > p.count {
			return w, errPack // a damaged index may lead in a circle
		}
		chain, sizes = append(chain, at), append(sizes, h.size+h.result)
		at = h.base
	}
	for i := len(chain) - 1; i >= 0; i-- {
		w = weight{w.bytes + sizes[i], w.depth + 1}
		if w.bytes < 0 {
			return w, errPack
		}
		p.weight[chain[i]] = w
	}
	return w, nil
}

// kind returns the kind of the object at a position: that of the base of its differences.
func (p *pack) kind(at int64) (plumbing.ObjectType, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range p.count {
		h, err := p.headLocked(at)
		switch {
		case err != nil:
			return 0, false
		case h.base >= 0:
			at = h.base
		default:
			t := plumbing.ObjectType(h.kind)
			return t, t == plumbing.CommitObject || t == plumbing.TreeObject || t == plumbing.BlobObject || t == plumbing.TagObject
		}
	}
	return 0, false
}
