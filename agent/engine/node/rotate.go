package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A Stage is how far a change of all certificates has come. Between two stages, everybody has
// to have got what the first one gives them: then nobody meets somebody whom he does not trust.
type Stage int

const (
	// Steady: there is one authority.
	Steady Stage = iota
	// NodesTrust: nodes trust the new authority, too.
	NodesTrust
	// ClientsChange: clients have new certificates. They trust both authorities.
	ClientsChange
	// NodesChange: nodes have new certificates, and trust the new authority alone.
	NodesChange
	// ClientsForget: clients trust the new authority alone.
	ClientsForget
)

// pointer is the content of pointerFile. Without it, the keys are in Keys.Dir itself.
type pointer struct {
	// Set is the folder of the Set that Load returns, Next that of the new one while the
	// stage is not Steady. Both are below Keys.Dir.
	Set   string `json:"set"`
	Next  string `json:"next,omitempty"`
	Stage Stage  `json:"stage,omitempty"`
	// Last is the number of the newest folder.
	Last int `json:"last"`
}

const (
	pointerFile = "keys.json"
	setPrefix   = "set-"
)

func (k Keys) pointer() (p pointer, err error) {
	data, err := os.ReadFile(filepath.Join(k.Dir, pointerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	return p, err
}

// Stage returns how far a change of the certificates has come.
func (k Keys) Stage() (Stage, error) {
	p, err := k.pointer()
	return p.Stage, err
}

// Advance begins the next stage, and returns it. The caller has given everybody what the
// present one says, and no other process advances. A kill leaves the one or the other stage.
func (k Keys) Advance(ctx context.Context, now time.Time) (Stage, error) {
	p, err := k.pointer()
	if err == nil {
		err = k.advance(ctx, &p, now)
	}
	if err != nil {
		return p.Stage, fmt.Errorf("cannot change the keys of the nodes: %w", err)
	}
	return p.Stage, nil
}

func (k Keys) advance(ctx context.Context, p *pointer, now time.Time) error {
	was, err := k.Load()
	if err != nil {
		return err
	}
	if p.Stage == ClientsForget {
		if err := k.forget(p.Set); err != nil {
			return err
		}
		*p = pointer{Set: p.Set, Last: p.Last}
		return k.point(ctx, *p)
	}
	var next Set
	if p.Stage == Steady {
		if next, err = newSet(now); err == nil {
			p.Next, err = k.putSet(p, next)
		}
	} else {
		next, err = readSet(filepath.Join(k.Dir, p.Next))
	}
	if err != nil {
		return err
	}
	switch p.Stage++; p.Stage {
	case NodesTrust:
		was.Node = trusting(was.Node, next.Authority)
	case ClientsChange:
		was.Door, was.Manager = trusting(next.Door, was.Authority), trusting(next.Manager, was.Authority)
	case NodesChange:
		was.Node, was.Authority = next.Node, next.Authority
	case ClientsForget:
		p.Set = p.Next
		return k.point(ctx, *p)
	}
	if p.Set, err = k.putSet(p, was); err != nil {
		return err
	}
	return k.point(ctx, *p)
}

// Adopt makes the keys those that the nodes have from another server. No other process advances.
// A kill leaves the former ones.
func (k Keys) Adopt(ctx context.Context, s Set) error {
	p, err := k.pointer()
	if err == nil {
		err = k.Disk.MkdirAll(k.Dir, 0o700)
	}
	if err == nil {
		p = pointer{Last: p.Last}
		p.Set, err = k.putSet(&p, s)
	}
	if err == nil {
		err = k.point(ctx, p)
	}
	if err == nil {
		err = k.forget(p.Set)
	}
	if err != nil {
		return fmt.Errorf("cannot write the keys of the nodes: %w", err)
	}
	return nil
}

// putSet writes a set into a folder of its own, and returns the folder's name.
func (k Keys) putSet(p *pointer, s Set) (name string, err error) {
	p.Last++
	name = fmt.Sprint(setPrefix, p.Last)
	if err := k.Disk.RemoveAll(filepath.Join(k.Dir, name)); err != nil { // a killed process has left it
		return "", err
	}
	return name, k.Disk.Folder(filepath.Join(k.Dir, name), s.Files())
}

// point makes a set the one that Load returns.
func (k Keys) point(ctx context.Context, p pointer) error {
	data, err := json.Marshal(p)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	return k.Disk.Replace(filepath.Join(k.Dir, pointerFile), append(data, '\n'), 0o600)
}

// forget removes all sets but one.
func (k Keys) forget(but string) error {
	entries, err := os.ReadDir(k.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		_, role := new(Set).roles()[e.Name()]
		if old := role || e.Name() == authority || strings.HasPrefix(e.Name(), setPrefix); old && e.Name() != but {
			if err := k.Disk.RemoveAll(filepath.Join(k.Dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return k.Disk.Sync(k.Dir)
}

// mark changes with the set.
func (k Keys) mark() (string, error) {
	p, err := k.pointer()
	if err != nil {
		return "", err
	}
	info, err := os.Stat(filepath.Join(k.Dir, p.Set, authority, chainFile))
	if err != nil {
		return "", err
	}
	return fmt.Sprint(p.Set, info.ModTime().UnixNano()), nil
}
