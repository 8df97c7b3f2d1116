package acme_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/certs/acme"
	"dokku/agent/certs/acme/acmetest"
)

// stored is the account file of the only account in a folder, and its path.
func stored(t *testing.T, accounts string) (fields map[string]string, path string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(accounts, "*", "account.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("account files %q, %v", found, err)
	}
	data, err := os.ReadFile(found[0])
	if err == nil {
		err = json.Unmarshal(data, &fields)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fields, found[0]
}

func TestAccountFiles(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	config := a.config(t)
	config.Email = "admin@account.example"
	c := a.client(t, config)
	if fields, _ := stored(t, config.Accounts); fields["url"] != "" || a.count("") != 0 {
		t.Errorf("the CA was asked for a thumbprint: %v", fields)
	}
	obtain(t, c, acme.Order{Names: []string{"account.example"}})
	fields, path := stored(t, config.Accounts)
	if !strings.HasPrefix(fields["url"], a.URL+"/my-account/") || fields["directory"] != a.URL+"/dir" ||
		fields["email"] != "admin@account.example" || !strings.HasPrefix(fields["terms"], "data:text/plain") {
		t.Errorf("stored %v", fields)
	}
	for name, want := range map[string]os.FileMode{config.Accounts: 0o700, filepath.Dir(path): 0o700, path: 0o600, filepath.Join(filepath.Dir(path), "account.key"): 0o600} {
		if fi, err := os.Stat(name); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want mode %o", name, fi.Mode(), err, want)
		}
	}
	config.Email = "other@account.example"
	obtain(t, a.client(t, config), acme.Order{Names: []string{"account.example"}})
	if fields, _ := stored(t, config.Accounts); fields["email"] != "other@account.example" {
		t.Errorf("the new contact is not stored: %v", fields)
	}
	if n := a.count("POST /sign-me-up"); n != 1 {
		t.Errorf("registered %d times", n)
	}
}

// An account that cannot be read is never replaced by a new one.
func TestBrokenAccount(t *testing.T) {
	t.Parallel()
	for name, breaking := range map[string]func(dir string) error{
		"no key":       func(dir string) error { return os.Remove(filepath.Join(dir, "account.key")) },
		"no file":      func(dir string) error { return os.Remove(filepath.Join(dir, "account.json")) },
		"an empty key": func(dir string) error { return os.WriteFile(filepath.Join(dir, "account.key"), nil, 0o600) },
		"half a file": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "account.json"), []byte(`{"dir`), 0o600)
		},
		"another's": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "account.json"), []byte(`{"directory":"https://x.example/"}`), 0o600)
		},
		"a file at all": func(dir string) error { os.RemoveAll(dir); return os.WriteFile(dir, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			c := acme.New(acme.Config{Directory: "https://broken.example/dir", Accounts: filepath.Join(t.TempDir(), "accounts")})
			if _, err := c.Thumbprint(); err != nil {
				t.Fatal(err)
			}
			_, path := stored(t, c.Accounts)
			dir := filepath.Dir(path)
			if err := breaking(dir); err != nil {
				t.Fatal(err)
			}
			_, err := c.Thumbprint()
			if err == nil || !strings.Contains(err.Error(), "cannot read the account at the CA: ") ||
				!strings.Contains(err.Error(), "restore "+dir+" from a backup, or remove it to register anew") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestExternalAccount(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{EAB: map[string]string{"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}})
	order := acme.Order{Names: []string{"eab.example"}}
	config := a.config(t)
	refused(t, a.client(t, config), order, "externalAccountRequired")
	config.KeyID, config.HMAC = "kid-1", "not base64 url!"
	if p := refused(t, a.client(t, config), order, "setup"); !strings.Contains(p.Detail, `"kid-1"`) || strings.Contains(p.Detail, "not base64") {
		t.Errorf("got %v", p)
	}
	config.HMAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	obtain(t, a.client(t, config), order)
}

// The CA has lost the account: its key stays, so that the proxy's answers stay right.
func TestLostAccount(t *testing.T) {
	t.Parallel()
	a, b := newCA(t, acmetest.Options{}), newCA(t, acmetest.Options{})
	config := a.config(t)
	c := a.client(t, config)
	order := acme.Order{Names: []string{"lost.example"}}
	obtain(t, c, order)
	before, _ := c.Thumbprint()
	b.thumbprint.Store(before)
	a.front.Store(front(func(w http.ResponseWriter, r *http.Request) bool { // the CA begins anew
		b.acme.ServeHTTP(w, r)
		return true
	}))
	obtain(t, c, order)
	if after, err := c.Thumbprint(); err != nil || after != before {
		t.Errorf("the key has changed: %v", err)
	}
	if n := a.count("POST /sign-me-up"); n != 2 {
		t.Errorf("registered %d times, want once at each CA", n)
	}
}

// A kill after any operation on the disk leaves an account that can go on, with the key
// that it has shown.
func TestKilled(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	survived := false
	for after := int64(1); !survived; after++ {
		if after > 50 {
			t.Fatal("the process is killed whatever it does")
		}
		config := a.config(t)
		cmd := exec.Command(os.Args[0])
		cmd.Env = work{Directory: config.Directory, Bundle: config.Bundle, Accounts: config.Accounts, Name: "kill.example", KillAfter: after}.env(t)
		out, err := cmd.Output()
		survived = err == nil
		c := a.client(t, config)
		now, err := c.Thumbprint()
		if err != nil {
			t.Fatalf("killed after operation %d: %v", after, err)
		}
		if shown := strings.TrimSpace(string(out)); shown != "" && shown != now {
			t.Errorf("killed after operation %d: the key was replaced", after)
		}
		obtain(t, c, acme.Order{Names: []string{"kill.example"}})
		if after < 5 && survived {
			t.Error("the process was never killed")
		}
	}
}

// Processes that make the account at the same time agree on one key.
func TestOneKey(t *testing.T) {
	t.Parallel()
	accounts := filepath.Join(t.TempDir(), "accounts")
	w := work{Directory: "https://race.example/dir", Accounts: accounts}
	const processes = 6
	outputs := make(chan string, processes)
	for range processes {
		cmd := exec.Command(os.Args[0])
		cmd.Env = w.env(t)
		go func() {
			out, err := cmd.Output()
			if err != nil {
				out = []byte(err.Error())
			}
			outputs <- string(out)
		}()
	}
	first := <-outputs
	for range processes - 1 {
		if next := <-outputs; next != first || len(next) != 44 {
			t.Errorf("thumbprints %q and %q", first, next)
		}
	}
}
