package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"

	"dokku/agent/app"
	"dokku/agent/disk"
	"dokku/agent/text"
)

// Settings reads the server's settings; a missing file means the defaults. People
// edit that file by hand: a key that is no setting is an error, since what it was
// to set would silently be something else. The agent, which has apps to keep up,
// goes on with the last settings that it could read.
func (s *Store) Settings() (app.Settings, error) {
	set, err := s.StoredSettings()
	if s.Good != nil {
		set, err = s.Good.instead(s.Own("server.json"), set, err)
	}
	set.MaxScale = cmp.Or(set.MaxScale, app.DefaultMaxScale)
	set.KeepReleases = cmp.Or(set.KeepReleases, app.DefaultKeepReleases)
	set.Nginx.Port = cmp.Or(set.Nginx.Port, 80)
	return set, err
}

// StoredSettings are the settings without their defaults.
func (s *Store) StoredSettings() (app.Settings, error) {
	set, err := ReadSettings(s.Own("server.json"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return set, err
}

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

// GoodSettingsFile is the agent's copy of the last server.json that could be read.
const GoodSettingsFile = "server.good.json"

// GoodSettings are the last settings that could be read. They survive the agent: a
// bad edit before a reboot must not keep the apps down after it.
type GoodSettings struct {
	Path string

	mu   sync.Mutex
	last []byte
}

// instead returns set, and keeps it, or the last good ones where err says that the
// file cannot be used. A file that a newer version wrote is not for this one at all.
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
	// It was replaced since it was read, if it cannot be used; and what cannot be
	// kept costs only the way back.
	if unknownKeys(path, data) == nil && json.Valid(data) && (disk.Disk{}).Replace(g.Path, data, 0o600) == nil {
		g.last = data
	}
	return set, nil
}

// unknownKeys names the first key of server.json that is no setting.
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

// jsonKeys are the keys of a struct.
func jsonKeys(t reflect.Type) (names []string) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// A jsonKey is a key of an object, and of which key of the outermost that is the value.
type jsonKey struct {
	in, name string
	line     int
}

// keysOf lists the keys of an object and of the objects in it.
func keysOf(data []byte) (keys []jsonKey) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var open []byte // of each object or list that the decoder is in, its bracket
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

// nearestKey is the name that a misspelt one most likely stands for.
func nearestKey(key string, names []string) string {
	return slices.MinFunc(names, func(a, b string) int {
		return cmp.Compare(text.Distance(strings.ToLower(key), a), text.Distance(strings.ToLower(key), b))
	})
}
