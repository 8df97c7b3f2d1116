package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	"dokku/agent/app"
	"dokku/agent/disk"
	"dokku/agent/event"
	"dokku/agent/keys"
	"dokku/agent/text"
)

// Settings reads the server's settings and fills in defaults. A missing file means the
// defaults. With Good set, it returns the last good settings instead of an error about
// a bad edit.
func (s *Store) Settings() (app.Settings, error) {
	set, err := s.StoredSettings()
	if s.Good != nil {
		set, err = s.Good.instead(s.Own("server.json"), set, err)
	}
	set.MaxScale = cmp.Or(set.MaxScale, app.DefaultMaxScale)
	set.KeepReleases = cmp.Or(set.KeepReleases, app.DefaultKeepReleases)
	set.Nginx.Port = cmp.Or(set.Nginx.Port, 80)
	set.Nginx.TLSPort = cmp.Or(set.Nginx.TLSPort, 443)
	if err == nil && HasBuilder(set) {
		set.Deployed, err = keys.Deployed(s.Root)
	}
	return set, err
}

// builderState is where the service of a builder has its folder, until install.sh removes the builder.
const builderState = "/var/lib"

// HasBuilder reports whether the server has a builder of its own, which may be stopped.
func HasBuilder(set app.Settings) bool {
	socket := set.BuilderSocket()
	for _, path := range []string{socket, filepath.Join(builderState, filepath.Base(filepath.Dir(socket)))} {
		if _, err := os.Lstat(path); err == nil {
			return true
		}
	}
	return false
}

// StoredSettings reads the server's settings without filling in defaults.
func (s *Store) StoredSettings() (app.Settings, error) {
	set, err := ReadSettings(s.Own("server.json"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return set, err
}

// UpdateSettings changes the server's settings under their lock. If change returns an
// error, the file stays as it is.
func (s *Store) UpdateSettings(ctx context.Context, change func(*app.Settings) error) error {
	l, err := s.LockApp(ctx, SettingsLock, "changing the server's settings", event.Log{})
	if err != nil {
		return err
	}
	defer l.Release()
	set, err := s.StoredSettings()
	if err != nil {
		return err
	}
	if err := change(&set); err != nil {
		return err
	}
	set.Version = app.Version
	return s.WriteJSON(s.Own("server.json"), set)
}

// ReadSettings reads settings from the file at path, without defaults. It refuses
// unknown keys, and files of a newer version.
func ReadSettings(path string) (set app.Settings, err error) {
	if err := ReadJSON(path, &set); err != nil {
		return app.Settings{}, err
	}
	data, err := os.ReadFile(path)
	if err == nil {
		err = unknownKeys(path, data)
	}
	if err != nil {
		return app.Settings{}, err
	}
	return set, nil
}

// GoodSettingsFile is the name of the agent's copy of the last good server.json.
const GoodSettingsFile = "server.good.json"

// GoodSettings keeps the last settings that could be read. It keeps them in a file,
// because a bad edit before a reboot must not keep the apps down after it.
type GoodSettings struct {
	Path string // of the copy

	mu   sync.Mutex
	last []byte
}

// instead keeps and returns set if err is nil. Otherwise it returns the last good
// settings, unless a newer version wrote the file.
func (g *GoodSettings) instead(path string, set app.Settings, err error) (app.Settings, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		var newer *newerError
		if errors.As(err, &newer) {
			return set, err
		}
		if last, lerr := ReadSettings(g.Path); lerr == nil {
			return last, nil
		}
		return set, err
	}
	data, rerr := os.ReadFile(path)
	if rerr != nil || bytes.Equal(data, g.last) {
		return set, nil
	}
	// The file may have been replaced after it was read, so check it again. A failed
	// write costs only the copy.
	if unknownKeys(path, data) == nil && json.Valid(data) && (disk.Disk{}).Replace(g.Path, data, 0o600) == nil {
		g.last = data
	}
	return set, nil
}

// unknownKeys returns an error about the first key of server.json that is no setting.
func unknownKeys(path string, data []byte) error {
	known := map[string][]string{"": jsonKeys(reflect.TypeFor[app.Settings]()), "nginx": jsonKeys(reflect.TypeFor[app.NginxSettings]())}
	for _, k := range keysOf(data) {
		names, checked := known[strings.ToLower(k.in)]
		if !checked || slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, k.name) }) {
			continue
		}
		where := ""
		if k.in != "" {
			where = " of " + k.in
		}
		return fmt.Errorf("cannot use %s: line %d has the key %q%s, which is no setting: did you mean %q?",
			path, k.line, k.name, where, nearestKey(k.name, names))
	}
	return nil
}

// jsonKeys returns the JSON keys of a struct.
func jsonKeys(t reflect.Type) (names []string) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// A jsonKey is a key of the outermost object, or of an object that is the value of
// its key in.
type jsonKey struct {
	in, name string
	line     int
}

// keysOf lists the keys of an object and of the objects in it, in their order.
func keysOf(data []byte) (keys []jsonKey) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var open []byte // the brackets of the objects and lists around the decoder
	key, in := true, ""
	for {
		tok, err := dec.Token()
		if err != nil {
			return keys
		}
		delim, _ := tok.(json.Delim)
		switch name, text := tok.(string); {
		case delim == '{' || delim == '[':
			open, key = append(open, byte(delim)), true
			continue
		case delim != 0:
			open = open[:len(open)-1]
		case text && key && len(open) > 0 && open[len(open)-1] == '{':
			key = false
			k := jsonKey{name: name, line: 1 + bytes.Count(data[:dec.InputOffset()], []byte("\n"))}
			if len(open) == 1 {
				in = name
			} else if k.in = in; len(open) > 2 {
				continue
			}
			keys = append(keys, k)
			continue
		}
		key = true // a value has ended
	}
}

// nearestKey returns the name with the least distance to a misspelt key.
func nearestKey(key string, names []string) string {
	return slices.MinFunc(names, func(a, b string) int {
		return cmp.Compare(text.Distance(strings.ToLower(key), a), text.Distance(strings.ToLower(key), b))
	})
}
