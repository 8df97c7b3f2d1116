package firewall

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"dokku/agent/disk"
)

// The words by which main calls root's part, each followed by a name.
const (
	// ServeCommand answers one request of the standard input.
	ServeCommand = "firewall:serve"
	// BootCommand puts the rules of the last request into the kernel.
	BootCommand = "firewall:boot"
	// RemoveCommand removes the rules, and what is kept of them.
	RemoveCommand = "firewall:remove"
)

// Root is root's part for one installation.
type Root struct {
	// Name is that of the installation, and so of the rules: dokku, or dokku-beside.
	Name string
	// Dir is where the rules are kept; "" is the folder of Name in /var/lib. Nobody but root may write there.
	Dir string
	// Backend is NFT or one of iptables; "": the first one that works.
	Backend string
}

// rootName is the form of Root.Name: short enough for a chain of iptables.
var rootName = regexp.MustCompile(`^dokku[a-z0-9-]{0,15}$`)

// RootOf returns root's part from the words of a command: NAME [DIR [BACKEND]].
func RootOf(words []string) (Root, error) {
	r := Root{}
	for i, to := range []*string{&r.Name, &r.Dir, &r.Backend} {
		if i < len(words) {
			*to = words[i]
		}
	}
	if len(words) > 3 || !rootName.MatchString(r.Name) {
		return r, errors.New("the firewall has the arguments NAME [DIR [BACKEND]]; NAME is dokku or dokku-beside")
	}
	if r.Dir == "" {
		r.Dir = filepath.Join("/var/lib", r.Name, "firewall")
	}
	return r, nil
}

// kept is what Root keeps of the last rules, in Dir.
type kept struct {
	Rules  Rules  `json:"rules"`
	Listed string `json:"listed"` // digest of what the kernel lists
}

func (r Root) file() string { return filepath.Join(r.Dir, "rules.json") }

// locked keeps other calls for the same folder out.
func (r Root) locked(ctx context.Context, do func() error) error {
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return err
	}
	f, err := disk.OpenLock(filepath.Join(r.Dir, "lock"), 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := disk.WaitLock(ctx, f, disk.Exclusive); err != nil {
		return err
	}
	return do()
}

// Serve carries out one request of the agent.
func (r Root) Serve(ctx context.Context, in io.Reader) error {
	request, err := readRequest(in)
	if err != nil {
		return err
	}
	return r.locked(ctx, func() error {
		if request.Do == doCheck {
			return r.look(ctx, request.Rules)
		}
		return r.put(ctx, request.Rules)
	})
}

func same(a, b Rules) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

// Boot puts the last rules into the kernel. Without any, it only tries whether that can be done.
func (r Root) Boot(ctx context.Context) error {
	return r.locked(ctx, func() error {
		k, err := r.read()
		if errors.Is(err, fs.ErrNotExist) {
			return r.put(ctx, Rules{})
		}
		if err == nil {
			err = k.Rules.check(devices)
		}
		if err != nil {
			return err
		}
		return r.put(ctx, k.Rules)
	})
}

// Remove removes the rules of all backends, and what is kept of them. Nobody may call Serve meanwhile.
func (r Root) Remove(ctx context.Context) error {
	nft{}.remove(ctx, r.Name)
	iptables("").remove(ctx, r.Name)
	if end, ok := strings.CutPrefix(r.Backend, Iptables); ok {
		iptables(end).remove(ctx, r.Name)
	}
	return os.RemoveAll(r.Dir)
}

// put replaces the rules and keeps them. A crash in between leaves rules that the next look
// takes for changed, and the agent sends them again.
func (r Root) put(ctx context.Context, rules Rules) error {
	to, err := kernelOf(ctx, r.Backend)
	if err != nil {
		return err
	}
	if err := to.apply(ctx, r.Name, rules); err != nil {
		return err
	}
	list, err := to.list(ctx, r.Name)
	if err != nil {
		return err
	}
	data, err := json.Marshal(kept{Rules: rules, Listed: digest(list)})
	if err != nil {
		return err
	}
	return disk.Disk{}.Replace(r.file(), data, 0o600)
}

func (r Root) read() (k kept, err error) {
	data, err := os.ReadFile(r.file())
	if err == nil {
		err = json.Unmarshal(data, &k)
	}
	return k, err
}

// look returns an error unless these are the rules of the last put, and the kernel has what it had then.
func (r Root) look(ctx context.Context, rules Rules) error {
	k, err := r.read()
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("there are no rules yet")
	}
	if err != nil {
		return err
	}
	if !same(k.Rules, rules) {
		return errors.New("the rules are other ones")
	}
	to, err := kernelOf(ctx, r.Backend)
	if err != nil {
		return err
	}
	list, err := to.list(ctx, r.Name)
	if err != nil {
		return fmt.Errorf("the rules are gone: %w", err)
	}
	if digest(list) != k.Listed {
		return errors.New("somebody has changed the rules")
	}
	return nil
}
