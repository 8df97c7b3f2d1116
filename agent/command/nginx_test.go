package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/proxy"
)

// withNginx is an nginx that accepts everything, and does not run.
func withNginx(f *fixture) {
	f.write(".dokku/server.json", app.Settings{Version: 1, Docker: "unix:///nowhere.sock", Domains: []string{"example.com"},
		Nginx: app.NginxSettings{Port: 1, LogDir: f.logs(), Check: []string{"true"}, Reload: []string{"sh", "-c", "exit 3"}}})
}

func (f *fixture) logs() string { return filepath.Join(filepath.Dir(f.root), "log") }

func TestNginxProperties(t *testing.T) {
	f := newFixture(t)
	withNginx(f)
	f.expect("nginx:report fresh --nginx-computed-client-max-body-size", ok("1m\n"))
	f.expect("nginx:set --global client-max-body-size 20m", ok("=====> Setting client-max-body-size to 20m\n"))
	f.expect("nginx:report fresh --nginx-computed-client-max-body-size", ok("20m\n"))
	f.expect("nginx:set fresh client-max-body-size 50m", ok("=====> Setting client-max-body-size to 50m\n"))
	f.expect("nginx:report fresh --nginx-computed-client-max-body-size", ok("50m\n"))
	f.expect("nginx:set fresh client-max-body-size", ok("=====> Unsetting client-max-body-size\n"))
	f.expect("nginx:set fresh proxy-read-timeout 0", fails(1,
		" !     Invalid proxy-read-timeout specified: \"0\" is not a time from 1s to 24h, such as 90s\n"))
	f.expect("nginx:set fresh client-max-body-size 50m;return", fails(1,
		" !     invalid client-max-body-size \"50m;return\": give a number with k, m or g, such as 50m, or 0 for no limit\n"))
}

// TestDokkusNginxProperties: Dokku's documented properties, with its own values where they
// differ from the default, are accepted, reported and unset.
func TestDokkusNginxProperties(t *testing.T) {
	f := newFixture(t)
	withNginx(f)
	for name, value := range map[string]string{
		"access-log-format": "json_combined", "access-log-path": f.logs() + "/fresh.log", "bind-address-ipv4": "127.0.0.1", "bind-address-ipv6": "::1",
		"client-body-timeout": "120s", "client-header-timeout": "2m", "client-max-body-size": "50m", "disable-custom-config": "true",
		"error-log-path": "off", "hsts": "true", "hsts-include-subdomains": "false", "hsts-max-age": "300", "hsts-preload": "true",
		"keepalive-timeout": "90s", "limit-conn": "off", "limit-req": "10r/s", "limit-req-burst": "20", "lingering-timeout": "10s", "proxy-buffer-size": "8k", "proxy-buffering": "off", "proxy-buffers": "8 8k",
		"proxy-busy-buffers-size": "16k", "proxy-connect-timeout": "60s", "proxy-keepalive": "32", "proxy-max-temp-file-size": "100m", "proxy-read-timeout": "120s",
		"proxy-send-timeout": "120s", "send-timeout": "120s", "underscore-in-headers": "on",
		"x-forwarded-for-value": "$http_x_forwarded_for", "x-forwarded-port-value": "$http_x_forwarded_port",
		"x-forwarded-proto-value": "$http_x_forwarded_proto", "x-forwarded-ssl": "on",
	} {
		run := func(args ...string) string {
			got := f.run(args...)
			if got.code != 0 {
				t.Errorf("dokku %q ends with %d: %s", args, got.code, got.stderr)
			}
			return got.stdout
		}
		run("nginx:set", "fresh", name, value)
		if got := run("nginx:report", "fresh", "--nginx-"+name); got != value+"\n" {
			t.Errorf("%s is reported as %q, want %q", name, got, value)
		}
		if got := run("nginx:report", "fresh", "--nginx-computed-"+name); got != value+"\n" {
			t.Errorf("computed %s is reported as %q, want %q", name, got, value)
		}
		run("nginx:set", "fresh", name)
		run("nginx:set", "--global", name, value)
		if got := run("nginx:report", "fresh", "--nginx-global-"+name); got != value+"\n" {
			t.Errorf("global %s is reported as %q, want %q", name, got, value)
		}
		run("nginx:set", "--global", name)
	}
	f.expect("nginx:report fresh --nginx-computed-access-log-path", ok(f.logs()+"/fresh-access.log\n"))
	f.expect("nginx:report fresh --nginx-origin-access-log-path", ok("default\n"))
	f.expect("nginx:set fresh nginx-conf-sigil-path .dokku/nginx.conf.sigil", ok("=====> Setting nginx-conf-sigil-path to .dokku/nginx.conf.sigil\n"+
		"       Templates are not rendered here: a push says which nginx:set does what the file asks for\n"))
	f.expect("nginx:report fresh --nginx-computed-nginx-conf-sigil-path", ok(".dokku/nginx.conf.sigil\n"))
	f.expect("nginx:report hello --nginx-computed-nginx-conf-sigil-path", ok("nginx.conf.sigil\n"))
	f.expect("nginx:set fresh nginx-conf-sigil-path ../x", fails(1, " !     Invalid nginx-conf-sigil-path specified: \"../x\" is not a path in the repository, such as nginx.conf.sigil\n"))
	f.expect("nginx:set fresh nginx-service-command /usr/bin/nginx", result{stdout: "=====> Setting nginx-service-command to /usr/bin/nginx\n", stderr: " !     nginx-service-command is stored, as Dokku stores it, and has no effect here: nginx is never started or stopped from here; " +
		"the key nginx.reload in server.json names the command that reloads it\n"})
	f.expect("nginx:set fresh access-log-path /etc/cron.d/x.log", fails(1,
		" !     Invalid access-log-path specified: \"/etc/cron.d/x.log\" is not below "+f.logs()+"\n"))
	f.expect("nginx:set fresh x-forwarded-proto-value $http_cookie", fails(1, " !     invalid x-forwarded-proto-value \"$http_cookie\": "+
		"give one of $scheme, $http_x_forwarded_proto, $http_x_forwarded_scheme, $http_cloudfront_forwarded_proto, http, https\n"))
	// Values that do not fit together, for an app that is deployed.
	f.expect("nginx:set fresh proxy-busy-buffers-size 10k", ok("=====> Setting proxy-busy-buffers-size to 10k\n"))
	f.release("buffered", nil, app.State{Nginx: map[string]string{"proxy-buffers": "8 16k"}})
	got := f.run("nginx:set", "buffered", "proxy-busy-buffers-size", "4k")
	if got.code != 1 || got.stderr != " !     cannot route buffered: invalid proxy-busy-buffers-size 4k: "+
		"give at least proxy-buffer-size and one of proxy-buffers, 16384\n" {
		t.Errorf("ends with %d: %s", got.code, got.stderr)
	}
}

func TestTrustedProxies(t *testing.T) {
	f := newFixture(t)
	withNginx(f)
	f.expect("nginx:set --global trusted-proxies 10.0.0.0/8 127.0.0.1,2001:db8::/32",
		ok("=====> Setting trusted-proxies to 10.0.0.0/8 127.0.0.1,2001:db8::/32\n"))
	f.expect("nginx:report hello --nginx-computed-trusted-proxies", ok("10.0.0.0/8 127.0.0.1,2001:db8::/32\n"))
	live := filepath.Join(f.root, ".dokku", "nginx", "live", "+server.conf")
	text, err := os.ReadFile(live)
	if want := "    10.0.0.0/8 1;\n    127.0.0.1/32 1;\n    2001:db8::/32 1;\n"; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("%s lacks %q, %v:\n%s", live, want, err, text)
	}
	for value, why := range map[string]string{
		"10.0.0.1/8":      `"10.0.0.1/8" has bits behind its length: give 10.0.0.0/8`,
		"10.0.0.0/33":     `"10.0.0.0/33" is not a range of addresses: give one such as 10.0.0.0/8, or one address`,
		"proxy.internal":  `"proxy.internal" is not a range of addresses: give one such as 10.0.0.0/8, or one address`,
		"10.0.0.0/8;":     `"10.0.0.0/8;" is not a range of addresses: give one such as 10.0.0.0/8, or one address`,
		"0.0.0.0/0":       `"0.0.0.0/0" trusts everybody, who could then claim any address: give the ranges of your proxies`,
		"fe80::1%eth0/64": `"fe80::1%eth0/64" is not a range of addresses: give one such as 10.0.0.0/8, or one address`,
	} {
		f.expect("nginx:set --global trusted-proxies "+value, fails(1, " !     Invalid trusted-proxies specified: "+why+"\n"))
	}
	f.expect("nginx:report hello --nginx-global-trusted-proxies", ok("10.0.0.0/8 127.0.0.1,2001:db8::/32\n"))
	f.expect("nginx:set hello trusted-proxies 10.0.0.0/8", fails(1,
		" !     Property can only be specified globally: dokku nginx:set --global trusted-proxies\n"))
	f.expect("nginx:set --global trusted-proxies", ok("=====> Unsetting trusted-proxies\n"))
	if text, err = os.ReadFile(live); err != nil || strings.Contains(string(text), "10.0.0.0/8") {
		t.Errorf("%s still trusts, %v:\n%s", live, err, text)
	}
}

// TestRefusedByNginx: a value that nginx refuses is not stored, for an app or for all.
func TestRefusedByNginx(t *testing.T) {
	f := newFixture(t)
	f.write(".dokku/server.json", app.Settings{Version: 1, Docker: "unix:///nowhere.sock",
		Nginx: app.NginxSettings{Port: 1, Check: []string{"sh", "-c", "echo 'unknown log format \"x\"' >&2; exit 1"}, Reload: []string{"true"}}})
	for _, target := range []string{"hello", "--global"} {
		got := f.run("nginx:set", target, "access-log-format", "x")
		if got.code != 1 || !strings.Contains(got.stderr, "cannot route hello: nginx refuses the configuration: unknown log format") {
			t.Errorf("%s: ends with %d: %s", target, got.code, got.stderr)
		}
	}
	if got := f.run("nginx:set", "--global", "trusted-proxies", "10.0.0.0/8"); got.code != 1 {
		t.Errorf("refused proxies: ends with %d: %s", got.code, got.stderr)
	}
	f.expect("nginx:report hello --nginx-computed-access-log-format", ok("\n"))
	f.expect("nginx:report hello --nginx-global-trusted-proxies", ok("\n"))
}

func TestErrorPages(t *testing.T) {
	f := newFixture(t)
	withNginx(f)
	pages := filepath.Join(t.TempDir(), "pages")
	f.expect("nginx:set fresh error-pages "+pages, fails(1,
		" !     Invalid error-pages specified: cannot read "+pages+": stat "+pages+": no such file or directory\n"))
	if err := os.Mkdir(pages, 0o750); err != nil {
		t.Fatal(err)
	}
	f.expect("nginx:set fresh error-pages "+pages, fails(1, " !     Invalid error-pages specified: nginx's workers cannot enter "+pages+
		": chmod o+x "+pages+", or use a folder below /var/lib/dokku/data\n"))
	for path := pages; path != os.TempDir(); path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f.expect("nginx:set fresh error-pages "+pages, ok("=====> Setting error-pages to "+pages+"\n"))
	f.expect("nginx:report fresh --nginx-computed-"+proxy.ErrorPages, ok(pages+"\n"))
}

func TestNginxLogs(t *testing.T) {
	f := newFixture(t)
	withNginx(f)
	f.expect("nginx:access-logs hello", fails(1,
		" !     nginx has not written "+f.logs()+"/hello-access.log yet: it does once hello is deployed\n"))
	if err := os.Mkdir(f.logs(), 0o755); err != nil {
		t.Fatal(err)
	}
	var all []string
	for range 30 {
		all = append(all, "192.0.2.1 - - GET /\n")
	}
	all[0], all[29] = "first\n", "last \x1b[2J\n"
	if err := os.WriteFile(filepath.Join(f.logs(), "hello-error.log"), []byte(strings.Join(all, "")), 0o644); err != nil {
		t.Fatal(err)
	}
	f.expect("nginx:error-logs hello", ok(strings.Join(all[10:29], "")+"last \n"))
	f.expect("nginx:set fresh access-log-path off", ok("=====> Setting access-log-path to off\n"))
	f.expect("nginx:access-logs fresh", fails(1, " !     access logs are disabled for this app\n"))
	f.expect("nginx:show-config fresh", fails(1, " !     No nginx.conf exists for fresh\n"))
	f.expect("nginx:validate-config", ok(""))
}
