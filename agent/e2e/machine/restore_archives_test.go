package machine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/backup"
	"dokku/agent/backup/archive"
	"dokku/agent/certs"
	"dokku/agent/command"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/keys"
)

// TestForgedArchives: somebody who has a key that may restore, or gets an admin to restore his
// file, sends archives that no backup makes. Each is refused with one line before anything
// changes: every file of the server stays as it is, byte for byte.
func TestForgedArchives(t *testing.T) {
	h := newHistory(t)
	old := newMachine(t, h)
	old.furnish()
	good := old.backedUp(backup.BackupOptions{})
	m := old.another()
	check(t, m.server.Env.Store.UpdateSettings(t.Context(), func(s *app.Settings) error { s.Checks = map[string]string{"default-wait": "0"}; return nil }))
	check(t, m.server.Create(t.Context(), "blog", false))
	h.fetch(t, m.server.Env.Store.Dir("blog"))
	check(t, m.pushTo(t.Context(), "blog", deploy.ZeroID, h.one, event.Log{}))
	m.settle()
	before, engine := tree(t, m.root), m.observed()
	restore := func(data []byte) string {
		var out strings.Builder
		code := command.Execute(t.Context(), cli.Env{Root: m.root, Server: m.server, User: "alice", Access: &keys.Access{Key: "alice", Grant: keys.Grant{Role: keys.Admin}}, Stdin: bytes.NewReader(data), Stdout: &out, Stderr: &out}, []string{"--force", "restore"})
		if code == 0 {
			out.WriteString("RESTORED")
		}
		return out.String()
	}
	count := 0
	refused := func(name, want, got string) {
		t.Helper()
		count++
		if want = " !     cannot restore the backup, nothing has changed: " + want + "\n"; got != want {
			t.Errorf("%s\n got %s\nwant %s", name, got, want)
		}
		if after := tree(t, m.root); after != before || m.observed() != engine {
			for line := range strings.Lines(after) {
				if !strings.Contains(before, line) {
					t.Errorf("%s left %.200s", name, line)
				}
			}
			t.Fatalf("%s changed the server", name)
		}
	}
	for _, a := range forgedArchives {
		refused(a.name, a.want, restore(forged(t, good, a.change)))
	}
	for _, a := range forgedApps {
		dir := t.TempDir()
		man, err := archive.Read(t.Context(), bytes.NewReader(good), dir, func(archive.Manifest) error { return nil })
		check(t, err)
		a.change(t, dir)
		var b bytes.Buffer
		_, err = archive.Write(t.Context(), &b, man, dir)
		check(t, err)
		refused(a.name, a.want, restore(b.Bytes()))
	}
	if count < 60 {
		t.Errorf("only %d archives were tried", count)
	}
}

// TestRestoredCertificate: a backup says of its certificate that it is for other names, and that
// nginx asks a cloud's metadata service whether it is revoked. Its files alone tell.
func TestRestoredCertificate(t *testing.T) {
	old := newMachine(t, newHistory(t))
	old.furnish()
	p, err := certs.SelfSigned([]string{"shop.example.com"}, time.Now())
	check(t, err)
	check(t, old.server.SetCertificate(t.Context(), "shop", "certs:add", event.Log{}, &p))
	st := old.load("shop").State
	m := old.another()
	dir := t.TempDir()
	man, err := archive.Read(t.Context(), bytes.NewReader(old.backedUp(backup.BackupOptions{})), dir, func(archive.Manifest) error { return nil })
	check(t, err)
	state("certificate", `{"id":"`+st.Certificate.ID+`","names":["bank.example.com"],"not_after":"`+st.Certificate.NotAfter.Format(time.RFC3339)+`","responder":"http://169.254.169.254/latest"}`)(t, dir)
	var b, out bytes.Buffer
	_, err = archive.Write(t.Context(), &b, man, dir)
	check(t, err)
	if code := command.Execute(t.Context(), cli.Env{Root: m.root, Server: m.server, Stdin: &b, Stdout: &out, Stderr: &out}, []string{"restore"}); code != 0 {
		t.Fatalf("%d, %s", code, &out)
	}
	if got := m.load("shop").State.Certificate; !reflect.DeepEqual(got, st.Certificate) || got.Responder != "" {
		t.Errorf("restored is %+v, want %+v", got, st.Certificate)
	}
}

// TestRestoreLeavesOut: the same key sends what it could not set by any command: that an app's
// builds may use another app's images, folders of the host for mounts, a program that proves
// domains. These stay out, and the rest comes.
func TestRestoreLeavesOut(t *testing.T) {
	old := newMachine(t, newHistory(t))
	old.furnish()
	m := old.another()
	dir := t.TempDir()
	man, err := archive.Read(t.Context(), bytes.NewReader(old.backedUp(backup.BackupOptions{})), dir, func(archive.Manifest) error { return nil })
	check(t, err)
	state("build", `{"allow-from":"blog","selected":"dockerfile"}`)(t, dir)
	state("letsencrypt", `{"dns-provider":"exec","dns-provider-EXEC_PATH":"/bin/sh","email":"a@b.example"}`)(t, dir)
	server("docker_options", `{"allowed-mounts":"/etc","allowed-capabilities":"SYS_ADMIN"}`)(t, dir)
	server("build", `{"allowed-hosts":"localhost","max-builds":"3"}`)(t, dir)
	server("isolation", `{"pids-limit":"4194304"}`)(t, dir)
	state("isolation", `-1`)(t, dir)
	release("isolation", `null`)(t, dir)
	release("subject", `"Fix\tthe login"`)(t, dir) // as git has it
	var b, out bytes.Buffer
	_, err = archive.Write(t.Context(), &b, man, dir)
	check(t, err)
	code := command.Execute(t.Context(), cli.Env{Root: m.root, Server: m.server, User: "alice", Access: &keys.Access{Key: "alice", Grant: keys.Grant{Role: keys.Admin}},
		Stdin: &b, Stdout: &out, Stderr: &out}, []string{"restore"})
	for _, want := range []string{
		" !     The server is restored without what cannot be set over ssh (builder-dockerfile:set --global allowed-hosts, docker-options:set --global allowed-capabilities, docker-options:set --global allowed-mounts, isolation:set --global pids-limit): restore it on the server, or set it there\n",
		" !     shop is restored without what cannot be set over ssh (builder:set allow-from, isolation:disable, letsencrypt:set dns-provider, letsencrypt:set dns-provider-EXEC_PATH): restore it on the server, or set it there\n",
	} {
		if code != 0 || !strings.Contains(out.String(), want) {
			t.Errorf("%d, want %s\n%s", code, want, &out)
		}
	}
	set, err := m.server.Settings()
	check(t, err)
	if len(set.DockerOptions) > 0 || set.Build["allowed-hosts"] != "" || set.Build["max-builds"] != "3" {
		t.Errorf("%v %v", set.DockerOptions, set.Build)
	}
	a := m.load("shop")
	if len(set.Isolation) > 0 || a.State.Isolation != app.IsolationNow || a.Current.Isolation == nil {
		t.Errorf("isolation: %v, %d, %v", set.Isolation, a.State.Isolation, a.Current.Isolation)
	}
	st := a.State
	if st.Build["allow-from"] != "" || st.Build["selected"] != "dockerfile" || len(st.Letsencrypt) != 1 || st.Letsencrypt["email"] == "" {
		t.Errorf("%v %v", st.Build, st.Letsencrypt)
	}
}

// TestRestoreCrashLoop: an app whose start kills whoever makes it, as a script did by which a
// parser ran out of stack, is started three times and then left stopped.
func TestRestoreCrashLoop(t *testing.T) {
	old := newMachine(t, newHistory(t))
	m := old.another()
	m.engine.Behave(func(s engine.Spec) memory.Behaviour { m.dead = true; return memory.Behaviour{} })
	if _, err := m.restored(old.backedUp(backup.BackupOptions{}), backup.RestoreOptions{}); err == nil {
		t.Fatal("the machine did not die")
	}
	for n := 1; n <= app.MaxRestoreAttempts; n++ {
		m.turnOn()
		st := m.load("shop").State
		if want := n < app.MaxRestoreAttempts || st.Restored.Starts(); st.Restored.Attempts != n || !want {
			t.Fatalf("after %d deaths: %+v", n, st.Restored)
		}
		err := m.server.Reconcile(t.Context(), "shop", event.Log{})
		if n == app.MaxRestoreAttempts {
			if want := "shop is restored but stopped: 3 attempts to start it were killed or crashed\nTo try again: dokku ps:rebuild shop"; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
	if st := m.load("shop").State; st.Restored.Starts() || !st.Stopped || m.dead {
		t.Errorf("%+v", st)
	}
}

// observed describes what the engine has of both apps.
func (m *machine) observed() string {
	var list []any
	for _, name := range []string{"blog", "shop"} {
		o, err := m.engine.Observe(m.t.Context(), name)
		check(m.t, err)
		list = append(list, o)
	}
	data, err := json.Marshal(append(list, m.engine.Volumes()))
	check(m.t, err)
	return string(data)
}

// tree describes all files below a folder: names, modes, links and contents.
func tree(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	check(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if name := strings.TrimPrefix(path, root); err != nil || strings.HasPrefix(name, "/.dokku/locks") || strings.HasPrefix(name, "/.dokku/log") { // that a command failed is an event
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %s", strings.TrimPrefix(path, root), info.Mode())
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %q", data)
		case info.Mode()&fs.ModeSymlink != 0:
			to, _ := os.Readlink(path)
			b.WriteString(" -> " + to)
		}
		b.WriteString("\n")
		return nil
	}))
	return b.String()
}

// A tarMember is a file of an archive, with what its tar says of it.
type tarMember struct {
	tar.Header
	data []byte
	as   byte // the type that it gets in the end; 0: that of Header
}

// forged returns the archive with changed members. The manifest is the first one.
func forged(t *testing.T, data []byte, change func(list []tarMember) []tarMember) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	check(t, err)
	var list []tarMember
	for from := tar.NewReader(z); ; {
		h, err := from.Next()
		if err == io.EOF {
			break
		}
		check(t, err)
		content, err := io.ReadAll(from)
		check(t, err)
		list = append(list, tarMember{Header: *h, data: content})
	}
	var plain, b bytes.Buffer
	to := tar.NewWriter(&plain)
	for _, m := range change(list) {
		m.Format = tar.FormatUnknown
		if m.Typeflag == tar.TypeReg {
			m.Size = int64(len(m.data))
		}
		check(t, to.Flush())
		at := plain.Len()
		check(t, to.WriteHeader(&m.Header))
		_, err := to.Write(m.data)
		check(t, err)
		if m.as != 0 {
			retype(plain.Bytes()[at:at+512], m.as)
		}
	}
	check(t, to.Close())
	w := gzip.NewWriter(&b)
	_, err = w.Write(plain.Bytes())
	check(t, err)
	check(t, w.Close())
	return b.Bytes()
}

// retype gives a header a type that package tar does not write, and its checksum.
func retype(header []byte, as byte) {
	header[156] = as
	copy(header[148:156], "        ")
	sum := 0
	for _, c := range header {
		sum += int(c)
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", sum))
}

// manifested changes the text of the manifest.
func manifested(old, new string) func([]tarMember) []tarMember {
	return func(list []tarMember) []tarMember {
		list[0].data = bytes.Replace(list[0].data, []byte(old), []byte(new), 1)
		return list
	}
}

// second changes the first member after the manifest.
func second(change func(*tarMember)) func([]tarMember) []tarMember {
	return func(list []tarMember) []tarMember {
		change(&list[1])
		return list
	}
}

// edited changes a file of JSON in the archive: a key, and its value as JSON.
func edited(path, key, value string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, path)
		data, err := os.ReadFile(path)
		check(t, err)
		all := map[string]json.RawMessage{}
		check(t, json.Unmarshal(data, &all))
		all[key] = json.RawMessage(value)
		data, err = json.Marshal(all)
		check(t, err)
		check(t, os.WriteFile(path, data, 0o600))
	}
}

const (
	shopState   = "apps/shop/dokku/state.json"
	shopRelease = "apps/shop/dokku/releases/2.json"
)

// state and release change a key of the app's state, and of its release.
func state(key, value string) func(*testing.T, string)   { return edited(shopState, key, value) }
func release(key, value string) func(*testing.T, string) { return edited(shopRelease, key, value) }
func server(key, value string) func(*testing.T, string)  { return edited("server.json", key, value) }

// added puts a file into the archive.
func added(path, text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { put(t, filepath.Join(dir, path), text) }
}
