package machine

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/backup"
	"dokku/agent/backup/archive"
	"dokku/agent/deploy"
	"dokku/agent/event"
)

// TestRestoreTrustsNothing: a key that may restore sends a backup whose repository's
// configuration names a program that git would run as the user dokku, with a file that nginx
// would read as root, and a release that names the image of another app, which it would then
// run and read.
func TestRestoreTrustsNothing(t *testing.T) {
	h := newHistory(t)
	old := newMachine(t, h)
	old.furnish()
	m := old.another()
	check(t, m.server.Env.Store.UpdateSettings(t.Context(), func(s *app.Settings) error { s.Checks = map[string]string{"default-wait": "0"}; return nil }))
	if err := m.server.Create(t.Context(), "blog", false); err != nil {
		t.Fatal(err)
	}
	h.fetch(t, m.server.Env.Store.Dir("blog"))
	for _, p := range [][2]string{{deploy.ZeroID, h.one}, {h.one, h.two}} { // another id than the old machine's image
		if err := m.pushTo(t.Context(), "blog", p[0], p[1], event.Log{}); err != nil {
			t.Fatal(err)
		}
	}
	blog, err := m.server.Env.Store.Load("blog")
	if err != nil {
		t.Fatal(err)
	}
	was, err := old.server.Env.Store.Load("shop")
	if err != nil {
		t.Fatal(err)
	}
	if blog.Current.Image == was.Current.Image {
		t.Fatal("both apps have one image: the test proves nothing")
	}
	hostile := func(images bool, change func(dir string)) []byte {
		dir := t.TempDir()
		man, err := archive.Read(t.Context(), bytes.NewReader(old.backedUp(backup.BackupOptions{Images: images})), dir, func(archive.Manifest) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		change(filepath.Join(dir, "apps", "shop"))
		var b bytes.Buffer
		if _, err := archive.Write(t.Context(), &b, man, dir); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	release := filepath.Join("dokku", "releases", strconv.Itoa(was.State.Current)+".json")
	for _, images := range []bool{false, true} {
		data := hostile(images, func(dir string) {
			put(t, filepath.Join(dir, "config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[tar \"x\"]\n\tcommand = touch /tmp/owned\n")
			replace(t, filepath.Join(dir, release), was.Current.Image, blog.Current.Image)
		})
		out, err := m.restored(data, backup.RestoreOptions{Force: true, Apps: []string{"shop"}})
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if !strings.Contains(out, "shop is restored without nginx.conf.d (a.conf), since nginx reads these files as root") {
			t.Errorf("nothing is said of nginx.conf.d:\n%s", out)
		}
		shop := m.server.Env.Store.Dir("shop")
		if files, _ := os.ReadDir(filepath.Join(shop, "nginx.conf.d")); len(files) > 0 {
			t.Errorf("nginx.conf.d has %v", files)
		}
		if config, err := os.ReadFile(filepath.Join(shop, "config")); err != nil || strings.Contains(string(config), "command") || !strings.Contains(string(config), "fsckObjects") {
			t.Errorf("%v\n%s", err, config)
		}
		a, err := m.server.Env.Store.Load("shop")
		if err != nil {
			t.Fatal(err)
		}
		releases, err := m.server.Env.Store.Releases("shop")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range releases {
			if r.Image == blog.Current.Image {
				t.Errorf("v%d runs blog's image", r.Number)
			}
		}
		if a.State.Stopped || a.Current.Revision != was.Current.Revision {
			t.Errorf("the app is not up: %+v", a.State)
		}
	}
	for what, image := range map[string]string{"no id": "x", "nothing": "", "a name": "dokku/blog:latest"} {
		data := hostile(false, func(dir string) { replace(t, filepath.Join(dir, release), was.Current.Image, image) })
		if _, err := m.restored(data, backup.RestoreOptions{Force: true, Apps: []string{"shop"}}); err == nil || !strings.Contains(err.Error(), " has no id of an image") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
