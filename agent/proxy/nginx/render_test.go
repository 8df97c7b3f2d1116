package nginx

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"dokku/agent/certs"
	"dokku/agent/proxy"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	path = filepath.Join("testdata", path)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it anew), %v; got\n%s", path, err, got)
	}
}

func addresses(list ...string) []netip.AddrPort {
	var all []netip.AddrPort
	for _, a := range list {
		all = append(all, netip.MustParseAddrPort(a))
	}
	return all
}

// everySetting has a value for each property.
var everySetting = proxy.Settings{Properties: map[string]string{
	"access-log-format": "combined", "access-log-path": "/var/log/nginx/every-access.log", "error-log-path": "/var/log/nginx/every-error.log",
	"bind-address-ipv4": "192.0.2.7", "bind-address-ipv6": "[2001:db8::7]", "client-body-timeout": "10m", "client-header-timeout": "90",
	"error-pages": "/var/lib/dokku/data/pages", "hsts": "true", "hsts-include-subdomains": "false", "hsts-max-age": "300", "hsts-preload": "true", "https-redirect": "308",
	"keepalive-timeout": "0", "limit-conn": "50", "limit-req": "300r/m", "limit-req-burst": "7", "lingering-timeout": "1500ms", "proxy-buffer-size": "32k", "proxy-buffering": "off", "proxy-buffers": "16 8k",
	"proxy-busy-buffers-size": "40k", "proxy-connect-timeout": "1d", "proxy-keepalive": "16", "proxy-max-temp-file-size": "0", "send-timeout": "1m30s", "underscore-in-headers": "on",
	"x-forwarded-for-value": "$proxy_add_x_forwarded_for", "x-forwarded-port-value": "443", "x-forwarded-proto-value": "$http_x_forwarded_proto",
	"x-forwarded-ssl": "on",
}}

// unset is a server without settings of its own.
func unset(port int, ipv6 bool) server {
	return server{port: port, ipv6: ipv6, tls: 443, certificates: "/home/dokku/.dokku/nginx/certificates",
		files: "/var/lib/dokku/data/nginx-files", version: func() version { return version{1, 22, 1} }, unknown: true}
}

// of is the server with another version of nginx.
func (s server) of(v version) server {
	s.version = func() version { return v }
	return s
}

// TestEverySetting: no property is without a golden file.
func TestEverySetting(t *testing.T) {
	for _, p := range proxy.Properties {
		if everySetting.Properties[p.Name] == "" {
			t.Errorf("%s has no value in everySetting", p.Name)
		}
		if p.Default != "" && p.Check(p.Default) != nil {
			t.Errorf("the default of %s is refused: %v", p.Name, p.Check(p.Default))
		}
	}
	if len(everySetting.Properties) != len(proxy.Properties) {
		t.Errorf("everySetting has %d properties of %d", len(everySetting.Properties), len(proxy.Properties))
	}
}

func TestGolden(t *testing.T) {
	hello := proxy.Route{App: "hello", Release: 12, Domains: []string{"hello.example.com", "www.example.com"}, Upstreams: addresses("172.30.1.2:5000", "172.30.1.3:5000")}
	set := proxy.Route{App: "set.up", Release: 3, Domains: []string{"*.example.org"}, Upstreams: addresses("[fd00::2]:5000"), Settings: proxy.Settings{
		ClientMaxBodySize: "50m", ReadTimeout: 1500 * time.Millisecond, SendTimeout: 2 * time.Minute, IncludeDir: "/home/dokku/set.up/nginx.conf.d"}}
	stopped := proxy.Route{App: "stopped", Domains: []string{strings.Repeat("a", 60) + ".example.com"}}
	hidden := proxy.Route{App: "hidden", Release: 1, Upstreams: addresses("172.30.1.2:5000")}
	ports := proxy.Route{App: "ports", Release: 4, Domains: []string{"ports.example.com"}, Upstreams: addresses("172.30.1.2:5000", "172.30.1.3:5000"),
		Ports: []proxy.Port{{Host: 8080}, {Host: 80}, {Host: 9000, Container: 3000}, {Host: 9001, Container: 3000}}}
	every := proxy.Route{App: "every", Release: 1, Domains: []string{"every.example.com", "_"}, Upstreams: addresses("172.30.1.5:5000"), Settings: everySetting}
	behind := unset(80, true)
	behind.errorPages = "/var/lib/dokku/data/pages"
	behind.trusted = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	noUnknown := unset(80, false)
	noUnknown.unknown = false
	off := proxy.Route{App: "off", Release: 2, Stopped: true, Domains: []string{"off.example.com"}, Settings: proxy.Settings{Properties: map[string]string{
		"access-log-path": "off", "error-log-path": "off", "error-pages": "/var/lib/dokku/data/pages", "proxy-buffering": "on"}}}
	many := proxy.Route{App: "many", Release: 1, Upstreams: addresses("172.30.1.6:5000")}
	for i := range 134 {
		many.Domains = append(many.Domains, fmt.Sprintf("customer-%03d.example.com", i))
	}
	secure := proxy.Route{App: "secure", Release: 1, Domains: []string{"secure.example.com", "*.secure.example.com", "plain.example.com"}, Upstreams: addresses("172.30.1.7:5000"),
		Certificates: []proxy.Certificate{{ID: "00112233aabbccdd", Domains: []string{"secure.example.com"}}, {ID: "ffffffff00000000", Domains: []string{"*.secure.example.com"}}}}
	strict := proxy.Route{App: "strict", Release: 1, Domains: []string{"strict.example.com"}, Upstreams: addresses("172.30.1.8:5000"),
		Ports:        []proxy.Port{{Host: 8443, TLS: true}, {Host: 9443, Container: 9000, TLS: true}, {Host: 80}},
		Certificates: []proxy.Certificate{{ID: "0123456789abcdef", Domains: []string{"strict.example.com"}}},
		Settings:     proxy.Settings{Properties: map[string]string{"https-redirect": "308", "hsts": "true"}}}
	lax := strict
	lax.App, lax.Domains, lax.Ports, lax.Settings = "lax", []string{"lax.example.com"}, nil, proxy.Settings{Properties: map[string]string{"https-redirect": "off"}}
	lax.Certificates = []proxy.Certificate{{ID: "0123456789abcdef", Domains: []string{"lax.example.com"}}}
	challenged, closed := secure, strict
	challenged.Challenge, challenged.Stopped, challenged.Upstreams = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", true, nil
	closed.Challenge, closed.Ports = challenged.Challenge, strict.Ports[:1]
	addressed := secure
	addressed.App, addressed.Domains = "addressed", []string{"addressed.example.com", "192.0.2.10"}
	addressed.Certificates = []proxy.Certificate{{ID: "00112233aabbccdd", Domains: addressed.Domains}}
	lower := addressed
	lower.App, lower.Domains = "lower", []string{"lower.example.com", "192.0.2.9"}
	lower.Certificates = []proxy.Certificate{{ID: "ffffffff00000000", Domains: []string{"192.0.2.9"}}}
	stapled := secure
	stapled.App, stapled.Domains = "stapled", []string{"stapled.example.com", "www.stapled.example.com"}
	stapled.Certificates = []proxy.Certificate{{ID: "ffffffff00000000", Domains: stapled.Domains[:1], Responder: "http://ocsp.example.com/a"},
		{ID: "00112233aabbccdd", Domains: stapled.Domains[1:], Responder: "http://ocsp.example.org:8080"}}
	resolved := unset(80, true)
	resolved.resolvers = []netip.Addr{netip.MustParseAddr("127.0.0.53"), netip.MustParseAddr("2001:db8::53")}
	works := proxy.Route{App: "works", Release: 1, Domains: []string{"works.example.com"}, Upstreams: addresses("172.30.1.2:5000"), Challenge: challenged.Challenge,
		Maintenance: &proxy.Maintenance{}, Auth: &proxy.Auth{}, Settings: proxy.Settings{IncludeDir: "/home/dokku/works/nginx.conf.d"}}
	page := proxy.Route{App: "page", Release: 1, Domains: []string{"page.example.com", "old.example.com"}, Upstreams: addresses("172.30.1.3:5000"), Challenge: challenged.Challenge,
		Certificates: []proxy.Certificate{{ID: "00112233aabbccdd", Domains: []string{"page.example.com", "old.example.com"}}},
		Maintenance:  &proxy.Maintenance{Page: proxy.Files{ID: "0123456789abcdef"}},
		Redirects:    []proxy.Redirect{{From: "old.example.com", To: "page.example.com", Code: 308}},
		Settings:     proxy.Settings{Properties: map[string]string{"hsts": "true"}}}
	members := proxy.Route{App: "members", Release: 1, Domains: []string{"members.example.com", "former.example.com"}, Upstreams: addresses("172.30.1.4:5000"),
		Redirects: []proxy.Redirect{{From: "former.example.com", To: "elsewhere.example.org", Code: 302}},
		Auth: &proxy.Auth{Users: map[string]string{"ann": "$6$salt$aaaaaaaaaaaaaaaa", "bob": "$2a$05$bbbbbbbbbbbbbbbbbbbbbb"},
			Allowed: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}},
		Settings: proxy.Settings{IncludeDir: "/home/dokku/members/nginx.conf.d"}}
	house := proxy.Route{App: "house", Release: 1, Domains: []string{"house.example.com"}, Upstreams: addresses("172.30.1.5:5000"),
		Auth: &proxy.Auth{Allowed: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")}}}
	partly := proxy.Route{App: "partly", Release: 1, Domains: []string{"partly.example.com", "admin.example.com"}, Upstreams: addresses("172.30.1.9:5000"),
		Certificates: []proxy.Certificate{{ID: "00112233aabbccdd", Domains: []string{"partly.example.com", "admin.example.com"}}},
		Auth:         &proxy.Auth{Users: members.Auth.Users, Domains: []string{"admin.example.com"}}}
	shut := proxy.Route{App: "closed", Release: 1, Domains: []string{"closed.example.com"}, Upstreams: addresses("172.30.1.6:5000"), Auth: &proxy.Auth{}}
	only := proxy.Route{App: "only", Domains: []string{"only.example.com"}, Upstreams: addresses("172.30.1.4:5000"), Ports: []proxy.Port{{Host: 9001}}}
	onward := secure
	onward.App, onward.Upstreams, onward.Onward = "onward", addresses("192.0.2.1:80"), true
	onward.Ports = []proxy.Port{{Host: 80}, {Host: 443, TLS: true, Container: 443}, {Host: 9000, Container: 9000}}
	far := proxy.Route{App: "far", Release: 2, Domains: []string{"far.example.com"}, Upstreams: addresses("10.0.0.2:30000", "10.0.0.2:30001", "10.0.0.3:30000"), Elsewhere: true}
	guarded := far
	guarded.App, guarded.Domains, guarded.Entrance = "guarded", []string{"guarded.example.com"}, &proxy.Certificate{ID: "0123456789abcdef"}
	for name, c := range map[string]struct {
		routes []proxy.Route
		s      server
	}{
		"ports":       {[]proxy.Route{hello, only, ports}, unset(80, true)},
		"moved":       {[]proxy.Route{only}, unset(80, false)},
		"none":        {nil, unset(80, true)},
		"alone":       {[]proxy.Route{set}, unset(80, true)},
		"hidden":      {[]proxy.Route{hidden}, unset(8080, false)},
		"several":     {[]proxy.Route{hello, set, stopped}, noUnknown},
		"every":       {[]proxy.Route{every, off}, behind},
		"behind":      {[]proxy.Route{hello, off}, behind},
		"many":        {[]proxy.Route{many}, unset(80, false)},
		"tls":         {[]proxy.Route{hello, lax, secure, strict}, unset(80, true)},
		"acme":        {[]proxy.Route{challenged, closed}, unset(80, true)},
		"address":     {[]proxy.Route{addressed, lower, strict}, unset(80, true)},
		"address-old": {[]proxy.Route{addressed}, unset(80, false).of(version{1, 18, 0})},
		"stapled":     {[]proxy.Route{secure, stapled}, resolved},
		"onward":      {[]proxy.Route{onward}, unset(80, true)},
		"elsewhere":   {[]proxy.Route{far}, unset(80, false)},
		"entrance":    {[]proxy.Route{guarded}, unset(80, false)},
		"beside":      {[]proxy.Route{works, page, members, house, partly, shut}, unset(80, true)},
		"tls-old":     {[]proxy.Route{secure}, unset(80, false).of(version{1, 18, 0})},
		"tls-new":     {[]proxy.Route{secure}, unset(80, true).of(version{1, 26, 3})},
	} {
		t.Run(name, func(t *testing.T) {
			var routes []proxy.Route
			var apps []string
			for _, r := range c.routes {
				r, err := r.Checked()
				if err != nil {
					t.Fatal(err)
				}
				routes, apps = append(routes, r), append(apps, r.App)
				file := renderApp(r, c.s)
				golden(t, filepath.Join(name, r.App+".conf"), file)
				if r.Auth != nil {
					r.Auth.Users = nil // the file has none of their hashes
				}
				if back, err := parseApp(r.App, file); err != nil || !reflect.DeepEqual(back, r) {
					t.Errorf("read back: %+v, %v; want %+v", back, err, r)
				}
			}
			c.s.hostnames = []string{"box.example.org", "Box.local"}
			first, last := shared("abcdefghijklmnopqrstuvwxyz", apps, routes, c.s)
			golden(t, filepath.Join(name, serverFile), first)
			golden(t, filepath.Join(name, unknownFile), last)
			if name != "tls-new" { // this nginx may be too old for it
				nginxAccepts(t, filepath.Join("testdata", name))
			}
		})
	}
	golden(t, "dokku.conf", []byte(ConfD("/home/dokku/.dokku/nginx")))
	golden(t, "nginx-check", []byte(CheckScript("/home/dokku/.dokku/nginx", "/etc/nginx/conf.d/dokku.conf")))
	golden(t, "nginx-reload", []byte(ReloadScript()))
}

// newerWord is what an nginx from 1.25.1 on says of the words for older ones.
var newerWord = regexp.MustCompile(`.*the "listen \.\.\. http2" directive is deprecated.*\n`)

// nginxAccepts tests the files of a folder, without a warning. Logs go elsewhere: nginx
// makes them in the test already.
func nginxAccepts(t *testing.T, dir string) {
	t.Helper()
	temp := t.TempDir()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(temp, "live"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err == nil {
			text = bytes.ReplaceAll(text, []byte("/var/log/nginx/"), []byte(temp+"/"))
			for _, m := range certificateFile.FindAllSubmatch(text, -1) {
				putCertificate(t, filepath.Join(temp, string(m[1])))
			}
			text = bytes.ReplaceAll(text, []byte("/home/dokku/.dokku/nginx/certificates/"), []byte(temp+"/"))
			err = os.WriteFile(filepath.Join(temp, "live", e.Name()), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	conf := ConfD(temp)
	conf = "pid " + temp + "/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n" + conf + "}\n"
	path := filepath.Join(temp, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nginx", "-t", "-q", "-c", path)
	cmd.Env = append(os.Environ(), "PATH=/usr/sbin:/sbin:"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	out = newerWord.ReplaceAll(out, nil)
	if err != nil || len(out) > 0 {
		t.Errorf("nginx says of %s: %v\n%s", dir, err, out)
	}
}

var certificateFile = regexp.MustCompile(`ssl_certificate /home/dokku/.dokku/nginx/certificates/([^/]+)/`)

// putCertificate makes a folder with a certificate that is its own issuer: nginx looks for
// the issuer of one that has a responder.
func putCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := certs.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	chain := bytes.Repeat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 2)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{proxy.CertificateFile: chain, proxy.KeyFile: private} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPlaceholder: an nginx that cannot refuse a handshake gets a certificate for no name.
func TestPlaceholder(t *testing.T) {
	n := New(Config{Dir: t.TempDir()})
	n.version = func() version { return version{1, 18, 0} }
	source := filepath.Join(t.TempDir(), "pair")
	putCertificate(t, source)
	r := proxy.Route{App: "a", Domains: []string{"a"}, Certificates: []proxy.Certificate{{ID: "0123456789abcdef", Dir: source, Domains: []string{"a"}}}}
	for range 2 {
		if err := n.copyCertificates(r); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(n.certificateDir(), placeholder)
	chain, err := os.ReadFile(filepath.Join(dir, proxy.CertificateFile))
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, proxy.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := certs.Parse(chain, key, time.Now())
	if err != nil || certs.Covers(certs.Names(p.Leaf), "a") {
		t.Errorf("it is for %q, %v", certs.Names(p.Leaf), err)
	}
}

// FuzzRoute: an accepted route is read back unchanged, and adds no line and no block.
func FuzzRoute(f *testing.F) {
	f.Add("hello", "hello.example.com", "1m", "/home/dokku", int64(time.Second), int64(0))
	f.Add("a", "*.a", "0", "/", int64(1), int64(-1))
	f.Add("a\n", "a;}", "1;", "/a b", int64(0), int64(1<<62))
	f.Add("0", "_", "0", "/", int64(time.Second), int64(0))
	usual := func(domain string) proxy.Route {
		r, err := proxy.Route{App: "a", Domains: []string{domain}, Settings: proxy.Settings{IncludeDir: "/a"}}.Checked()
		if err != nil {
			f.Fatal(err)
		}
		return r
	}
	// The domain _ stands for every name: two of nginx's words.
	plain, whole := usual("a"), usual("_")
	shape := func(r proxy.Route) [5]int {
		text := string(renderApp(r, unset(80, false)))
		_, text, _ = strings.Cut(text, "\n\n") // the comment may hold JSON's braces
		count := func(what string) int { return strings.Count(text, what) }
		return [5]int{count("\n"), count("{"), count("}"), count(";"), count("#") + count(`"`)}
	}
	f.Fuzz(func(t *testing.T, app, domain, size, include string, read, send int64) {
		r, err := proxy.Route{App: app, Domains: []string{domain}, Upstreams: nil, Settings: proxy.Settings{
			ClientMaxBodySize: size, IncludeDir: include, ReadTimeout: time.Duration(read), SendTimeout: time.Duration(send)}}.Checked()
		if err != nil {
			return
		}
		file := renderApp(r, unset(80, false))
		if back, err := parseApp(app, file); err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("read back: %+v, %v; want %+v", back, err, r)
		}
		want := plain
		if domain == "_" {
			want = whole
		}
		if include != "" && shape(r) != shape(want) {
			t.Errorf("another shape than usual:\n%s", file)
		}
	})
}

func FuzzParse(f *testing.F) {
	r, err := proxy.Route{App: "a", Domains: []string{"a"}, Upstreams: addresses("10.0.0.1:80")}.Checked()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(renderApp(r, unset(80, false)))
	f.Add([]byte("# route {\"App\":\"a\"}\n"))
	f.Add([]byte("# route {\"App\":\"a\"}\n# route {\"App\":\"a\"}\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := parseApp("a", file)
		if err != nil {
			return
		}
		if again, err := r.Checked(); err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%+v is valid only once: %+v, %v", r, again, err)
		}
	})
}
