package nginx_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// TestExamine breaks each thing that nginx needs, and expects exactly that finding.
func TestExamine(t *testing.T) {
	for _, test := range []struct {
		name   string
		damage func(s *nginxtest.Server, c *nginx.Config) error
		want   string // "FIELD: part of its text"; "" for none
	}{
		{"nothing", func(*nginxtest.Server, *nginx.Config) error { return nil }, ""},
		{"nginx is down", func(s *nginxtest.Server, _ *nginx.Config) error { s.Kill(); return nil }, "Down: nothing listens on port"},
		{"the include has gone", func(s *nginxtest.Server, _ *nginx.Config) error {
			err := os.Remove(filepath.Join(s.Etc, "conf.d", "dokku.conf"))
			s.Kill()
			s.Start()
			return err
		}, "Foreign: does not serve the files of"},
		{"nginx was not told", func(s *nginxtest.Server, c *nginx.Config) error {
			trees := filepath.Join(s.Dir, "trees")
			now, err := os.Readlink(filepath.Join(s.Dir, "live"))
			if err != nil {
				return err
			}
			other := strings.Repeat("z", 26)
			if err := os.CopyFS(filepath.Join(trees, other), os.DirFS(filepath.Join(s.Dir, now))); err != nil {
				return err
			}
			os.Remove(filepath.Join(s.Dir, "live"))
			return os.Symlink(filepath.Join("trees", other), filepath.Join(s.Dir, "live"))
		}, "Behind: older files"},
		{"an app's file is broken", func(s *nginxtest.Server, _ *nginx.Config) error {
			return os.WriteFile(filepath.Join(s.Dir, "live", "shop.conf"), []byte("# nothing\n"), 0o644)
		}, "Files: cannot read the route of shop"},
		{"the shared file has gone", func(s *nginxtest.Server, _ *nginx.Config) error {
			return os.Remove(filepath.Join(s.Dir, "live", "+server.conf"))
		}, "Files: is missing"},
		{"an admin's file is broken", func(s *nginxtest.Server, _ *nginx.Config) error {
			return os.WriteFile(filepath.Join(s.Etc, "conf.d", "mine.conf"), []byte("nonsense on;\n"), 0o644)
		}, `Refused: unknown directive "nonsense"`},
		{"the script has gone", func(s *nginxtest.Server, c *nginx.Config) error { return os.Remove(c.Reload[1]) }, "Rules: is missing"},
		{"sudo does not allow it", func(s *nginxtest.Server, c *nginx.Config) error {
			c.Check = []string{"sudo", "-n", "/nonexistent/nginx-check"}
			return nil
		}, "Rules: sudo does not allow /nonexistent/nginx-check"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := nginxtest.NewServer(t, "server { listen PORT default_server; return 404; }")
			config := s.Config()
			err := nginx.New(config).Publish(t.Context(), proxy.Route{App: "shop", Release: 1, Domains: []string{"shop.example.com"},
				Upstreams: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}})
			if err == nil {
				err = test.damage(s, &config)
			}
			if err != nil {
				t.Fatal(err)
			}
			staged, _ := os.Readlink(filepath.Join(s.Dir, "staged"))
			c := nginx.New(config).Examine(t.Context())
			var got []string
			add := func(field string, err error) {
				if err != nil {
					got = append(got, field+": "+err.Error())
				}
			}
			add("Down", c.Down)
			add("Foreign", c.Foreign)
			add("Behind", c.Behind)
			add("Files", c.Files)
			for _, err := range c.Rules {
				add("Rules", err)
			}
			add("Refused", c.Refused)
			field, text, _ := strings.Cut(test.want, ": ")
			switch {
			case test.want == "" && len(got) > 0:
				t.Errorf("it finds %q", got)
			case test.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], field+": ") || !strings.Contains(got[0], text)):
				t.Errorf("it finds %q, want %q alone", got, test.want)
			}
			if len(c.Apps) != 1 || c.Apps[0] != "shop" {
				t.Errorf("the apps are %q", c.Apps)
			}
			if after, _ := os.Readlink(filepath.Join(s.Dir, "staged")); after != staged {
				t.Errorf("staged names %q, before %q", after, staged)
			}
		})
	}
}
