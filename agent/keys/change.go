package keys

import (
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"
)

// Set changes the grant of the key with that name. The error is ErrNoKey if there is none.
func Set(root, name string, change func(*Grant) error) error {
	return changeKeys(root, func(f *keyFile) error {
		for i, l := range f.lines {
			if l.key != nil && l.key.Name == name {
				return f.regrant(root, i, change)
			}
		}
		return fmt.Errorf("cannot change the key %q: %w", name, ErrNoKey)
	})
}

// regrant changes the grant in a line.
func (f *keyFile) regrant(root string, line int, change func(*Grant) error) error {
	k := *f.lines[line].key
	if err := change(&k.Grant); err != nil {
		return err
	}
	k.Grant.Apps, k.Grant.Services = sorted(k.Grant.Apps), sorted(k.Grant.Services)
	if err := k.Grant.Check(); err != nil {
		return fmt.Errorf("cannot change the key %s: %w", k.Name, err)
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey([]byte(f.lines[line].text))
	if err != nil {
		return fmt.Errorf("cannot read the key %s: %w", k.Name, err)
	}
	text, err := keyText(root, k.Name, pub, k.Grant)
	f.lines[line].text = text
	return err
}

// Permit changes the apps and services of a name, with or without a key: those of a name
// without one wait for it.
func Permit(root, name string, change func(*Grant) error) error {
	if !ValidName(name) {
		return fmt.Errorf("%q is not the name of a key: it holds letters, digits and . _ @ + -, 64 at most, and begins with a letter or a digit", name)
	}
	return changeKeys(root, func(f *keyFile) error {
		var g Grant
		for i, l := range f.lines {
			switch {
			case l.key != nil && l.key.Name == name:
				return f.regrant(root, i, change)
			case l.waiting != nil && l.waiting.Name == name:
				g = l.waiting.Grant
			}
		}
		if err := change(&g); err != nil {
			return err
		}
		f.forget(name)
		return f.wait(name, g)
	})
}

// wait adds the line of what waits for a key.
func (f *keyFile) wait(name string, g Grant) error {
	if len(g.Apps)+len(g.Services) == 0 {
		return nil
	}
	text := "# dokku: " + name
	for _, w := range g.words() {
		text += " " + w
	}
	if waitingLine.FindString(text) == "" || len(text) > maxLine {
		return fmt.Errorf("cannot store what %s may use: %q", name, text)
	}
	f.lines = append(f.lines, keyLine{text: text})
	return nil
}

// forget removes what waits for a key.
func (f *keyFile) forget(name string) {
	f.lines = slices.DeleteFunc(f.lines, func(l keyLine) bool { return l.waiting != nil && l.waiting.Name == name })
}

// Granted returns the keys, and the names without a key for which apps or services wait: those
// have no Fingerprint.
func Granted(root string) ([]Key, error) {
	f, err := readKeys(root)
	if err != nil {
		return nil, err
	}
	var list []Key
	for _, l := range f.lines {
		switch {
		case l.key != nil:
			list = append(list, *l.key)
		case l.waiting != nil:
			list = append(list, *l.waiting)
		}
	}
	return list, nil
}

// RenameApp makes the keys that name the app from name to instead: an app that got another
// name keeps its keys. With to "", no key names it any more: whoever makes an app of that
// name next does not get the keys of the former one. Without a key that names it, nothing is
// written.
func RenameApp(root, from, to string) error {
	all, err := Granted(root)
	if err != nil {
		return err
	}
	for _, k := range all {
		if !slices.Contains(k.Grant.Apps, from) {
			continue
		}
		err := Permit(root, k.Name, func(g *Grant) error {
			if at := slices.Index(g.Apps, from); at >= 0 {
				if g.Apps = slices.Delete(g.Apps, at, at+1); to != "" {
					g.Apps = append(g.Apps, to)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("cannot give the key %s the new name of %s: %w", k.Name, from, err)
		}
	}
	return nil
}

// Advice is what to tell an administrator whose keys are from before there were roles; "": nothing.
func Advice(all []Key) string {
	admins := 0
	for _, k := range all {
		if k.Grant.Role == Admin {
			admins++
		}
	}
	switch admins {
	case 0:
		return ""
	case 1:
		return "Keys have roles now. The one that there is may do everything, as before: it is an admin's. A key for CI needs less: dokku ssh-keys:add NAME --role deployer --app APP"
	}
	return fmt.Sprintf("Keys have roles now. %d keys may do everything, as before: they are admins'. To limit one: dokku ssh-keys:set NAME --role deployer --app APP", admins)
}

// Find returns the key with that name; nil if there is none.
func Find(root, name string) (*Key, error) {
	all, err := List(root)
	for _, k := range all {
		if k.Name == name {
			return &k, err
		}
	}
	return nil, err
}
