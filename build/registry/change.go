package registry

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// With returns the content of a config.json with a login for a registry. It keeps all
// else; data may be empty.
func With(data []byte, server string, l Login) ([]byte, error) {
	key, err := Key(server)
	if err != nil {
		return nil, err
	}
	return change(data, func(c *config) error {
		if helper := c.Helpers[key] + c.Store; helper != "" {
			return fmt.Errorf("it leaves passwords to docker-credential-%s, so that an entry would be ignored: log in with docker login", helper)
		}
		if c.Auths == nil {
			c.Auths = map[string]entry{}
		}
		c.Auths[key] = entry{Auth: base64.StdEncoding.EncodeToString([]byte(l.User + ":" + l.Secret))}
		return nil
	})
}

// Without returns the content without the login for a registry; ok is false if it has
// none.
func Without(data []byte, server string) (changed []byte, ok bool, err error) {
	key, err := Key(server)
	if err != nil {
		return nil, false, err
	}
	changed, err = change(data, func(c *config) error {
		for _, k := range []string{key, "https://" + key} {
			_, has := c.Auths[k]
			ok = ok || has
			delete(c.Auths, k)
		}
		return nil
	})
	return changed, ok, err
}

// Servers returns the registries that the content has a login for, sorted.
func Servers(data []byte) ([]string, error) {
	c, err := parse(data)
	if err != nil {
		return nil, err
	}
	names := slices.Concat(slices.Collect(maps.Keys(c.Auths)), slices.Collect(maps.Keys(c.Helpers)))
	for i, name := range names {
		if name == hubKey {
			names[i] = hub
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// change changes the logins and leaves what other programs have written as it is.
func change(data []byte, do func(*config) error) ([]byte, error) {
	c, err := parse(data)
	if err != nil {
		return nil, err
	}
	if err := do(c); err != nil {
		return nil, err
	}
	all := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(data)) > 0 {
		if err := json.Unmarshal(data, &all); err != nil {
			return nil, err
		}
	}
	if all["auths"], err = json.Marshal(c.Auths); err != nil {
		return nil, err
	}
	out, err := json.MarshalIndent(all, "", "\t")
	return append(out, '\n'), err
}
