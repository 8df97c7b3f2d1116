package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"dokku/agent/e2e/lab"
)

// curl asks the lab's nginx for a path of a host, and returns the answer with its headers.
func curl(l *lab.Lab, host, path string, args ...string) string {
	l.T.Helper()
	args = append([]string{"-sS", "-i", "--max-time", "20", "--resolve", fmt.Sprintf("%s:%d:127.0.0.1", host, l.Nginx.Port)}, args...)
	out, err := exec.Command("curl", append(args, fmt.Sprintf("http://%s:%d%s", host, l.Nginx.Port, path))...).Output()
	lab.Must(l.T, err)
	return string(out)
}

// TestClosedForMaintenance: visitors get a page through deploys, restarts and a stop; certificates
// are issued meanwhile; afterwards the version serves that was pushed last.
func TestClosedForMaintenance(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	ca := withCA(t, l, 90*24*time.Hour)
	a := l.Deployed(nil)
	l.Dokku("domains:set", a.Name, "works.lan")
	l.Dokku("nginx:set", a.Name, "https-redirect", "off")
	closed := func(what, page string) {
		t.Helper()
		out := curl(l, "works.lan", "/any", "-d", "a=b")
		lab.Contains(t, out, "HTTP/1.1 503 ", "Cache-Control: no-store\r\n", "Retry-After: 60\r\n", page)
		if strings.Contains(out, a.Tip("main")) {
			t.Errorf("%s: the app answers:\n%s", what, out)
		}
	}
	lab.Contains(t, l.Dokku("maintenance:enable", a.Name), "-----> Enabling maintenance mode for "+a.Name+"...", "       done")
	closed("enabled", "down for maintenance")
	l.Dokku("ps:stop", a.Name)
	closed("stopped", "down for maintenance")
	lab.Contains(t, a.Push(lab.Files{"version": "2"}), a.Name+" is in maintenance, so visitors see a page; to end that: ", "maintenance:disable "+a.Name)
	closed("deployed", "down for maintenance")

	dir := t.TempDir()
	tar := exec.Command("sh", "-c", "cd $0 && echo back at noon >maintenance.html && echo logo >logo.svg && tar c maintenance.html logo.svg", dir)
	page, err := tar.Output()
	lab.Must(t, err)
	if out, errs, code := lab.Split(t, l.Command("maintenance:custom-page", a.Name), string(page)); code != 0 {
		t.Fatalf("maintenance:custom-page ends with %d:\n%s%s", code, out, errs)
	}
	closed("an own page", "back at noon")
	lab.Contains(t, curl(l, "works.lan", "/logo.svg"), "HTTP/1.1 200 ", "Cache-Control: no-store\r\n", "logo")
	l.Dokku("letsencrypt:enable", a.Name)
	secured(t, ca, fmt.Sprintf("https://works.lan:%d/", l.Nginx.TLSPort), "503 back at noon")

	l.Dokku("maintenance:disable", a.Name)
	lab.Contains(t, curl(l, "works.lan", "/"), "HTTP/1.1 200 ", a.Tip("main"))
}

// TestMembersOnly: only who knows a password gets in, through deploys; a CA needs none.
func TestMembersOnly(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	ca := withCA(t, l, 90*24*time.Hour)
	a := l.Deployed(nil)
	l.Dokku("domains:set", a.Name, "members.lan")
	l.Dokku("nginx:set", a.Name, "https-redirect", "off")
	if out, errs, code := lab.Split(t, l.Command("http-auth:enable", a.Name, "ann", "--password-stdin"), "s3cret\n"); code != 0 {
		t.Fatalf("http-auth:enable ends with %d:\n%s%s", code, out, errs)
	}
	asked := func() {
		t.Helper()
		lab.Contains(t, curl(l, "members.lan", "/"), "HTTP/1.1 401 ", `WWW-Authenticate: Basic realm="Restricted"`)
		lab.Contains(t, curl(l, "members.lan", "/", "-u", "ann:wrong"), "HTTP/1.1 401 ")
		lab.Contains(t, curl(l, "members.lan", "/", "-u", "ann:s3cret"), "HTTP/1.1 200 ", a.Tip("main"))
	}
	asked()
	a.Push(lab.Files{"version": "2"})
	asked()
	l.Dokku("letsencrypt:enable", a.Name)
	secured(t, ca, fmt.Sprintf("https://members.lan:%d/", l.Nginx.TLSPort), "401 ")
	for what, text := range map[string]string{"nginx:show-config": l.Dokku("nginx:show-config", a.Name), "events": l.Dokku("events"),
		"dokku.log": string(a.Read("..", ".dokku", "log", "dokku.log"))} {
		if strings.Contains(text, "s3cret") || strings.Contains(text, "$2a$") {
			t.Errorf("%s has the password or its hash", what)
		}
	}
	l.Dokku("http-auth:add-allowed-ip", a.Name, "127.0.0.0/8")
	lab.Contains(t, curl(l, "members.lan", "/"), "HTTP/1.1 200 ", a.Tip("main"))
	l.Dokku("http-auth:remove-allowed-ip", a.Name, "127.0.0.0/8")
	l.Dokku("http-auth:remove-user", a.Name, "ann")
	lab.Contains(t, curl(l, "members.lan", "/", "-u", "ann:s3cret"), "HTTP/1.1 401 ")

	// At one domain alone, until the app loses it: then it is closed, and not open.
	l.Dokku("domains:add", a.Name, "open.lan")
	lab.Contains(t, curl(l, "open.lan", "/"), "HTTP/1.1 401 ")
	l.Dokku("http-auth:add-domain", a.Name, "members.lan")
	lab.Contains(t, curl(l, "members.lan", "/"), "HTTP/1.1 401 ")
	lab.Contains(t, curl(l, "open.lan", "/"), "HTTP/1.1 200 ", a.Tip("main"))
	secured(t, ca, fmt.Sprintf("https://members.lan:%d/", l.Nginx.TLSPort), "401 ")
	l.Dokku("domains:remove", a.Name, "members.lan")
	lab.Contains(t, curl(l, "open.lan", "/"), "HTTP/1.1 401 ")
	l.Dokku("http-auth:disable", a.Name)
	lab.Contains(t, curl(l, "open.lan", "/"), "HTTP/1.1 200 ", a.Tip("main"))
}

// TestFormerDomain: a domain leads to another one with the rest of the URL, and has a
// certificate of its own.
func TestFormerDomain(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	ca := withCA(t, l, 90*24*time.Hour)
	a := l.Deployed(nil)
	l.Dokku("domains:set", a.Name, "www.shop.lan")
	l.Dokku("redirect:set", a.Name, "shop.lan", "www.shop.lan", "308")
	lab.Contains(t, curl(l, "shop.lan", "/a?b=c"), "HTTP/1.1 308 ", "Location: http://www.shop.lan/a?b=c\r\n")
	lab.Contains(t, curl(l, "www.shop.lan", "/"), "HTTP/1.1 200 ", a.Tip("main"))
	l.Dokku("letsencrypt:enable", a.Name)
	answer, to := browse(t, ca.Root, fmt.Sprintf("https://shop.lan:%d/a?b=c", l.Nginx.TLSPort))
	if !strings.HasPrefix(answer, "308 ") || to != "https://www.shop.lan/a?b=c" {
		t.Errorf("over TLS: %s, to %q", answer, to)
	}
	l.Dokku("redirect:unset", a.Name, "shop.lan")
	lab.Contains(t, curl(l, "shop.lan", "/"), "HTTP/1.1 404 ")
}
