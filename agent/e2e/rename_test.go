package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A rename under traffic: the app's own domain is answered at every moment, the
// new name at once, and nothing of the old one is left.
func TestRename(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.startAgent()
	old := l.deployed(files{"Procfile": twoTypes, "DOKKU_SCALE": "web=2\nworker=1\n"})
	app := old.renamed()
	l.dokku("domains:add", old.name, "own.example.com")
	l.dokku("config:set", old.name, "GREETING=hello")
	rev := old.tip("main")

	end, asked := make(chan struct{}), make(chan string)
	go func() {
		defer close(asked)
		for n := 0; ; n++ {
			select {
			case <-end:
				asked <- fmt.Sprint(n, " requests")
				return
			default:
			}
			req, _ := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", l.nginx.Port), nil)
			req.Host = "own.example.com"
			resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
			if err != nil || resp.StatusCode != http.StatusOK {
				asked <- fmt.Sprintf("request %d got %+v, %v", n, resp, err)
				return
			}
			resp.Body.Close()
		}
	}()
	contains(t, l.dokku("apps:rename", old.name, app.name), "-----> Renaming "+old.name+" to "+app.name, "All checks successful!")
	app.serves(rev)
	app.runs("web.1", "web.2", "worker.1")
	if status, _ := old.get("/"); status == http.StatusOK {
		t.Errorf("the old name is still answered")
	}
	if app.tip("main") != rev || l.dokku("config:get", app.name, "GREETING") != "hello\n" {
		t.Errorf("the repository or the config is not what it was")
	}
	if out, code := l.try("ps:report", old.name); code != 20 {
		t.Errorf("the old name still exists (%d):\n%s", code, out)
	}
	waitFor(t, "nothing carries the old name", func() bool { return old.left() == "" })
	app.rests()
	close(end)
	if got := <-asked; !strings.HasSuffix(got, " requests") || strings.HasPrefix(got, "0 ") {
		t.Errorf("own.example.com: %s", got)
	}

	// Pushes go to the new name, and the old one is free for another app.
	app.push(files{"version": "2"})
	app.serves(app.tip("main"))
	waitFor(t, "the old name is free", func() bool { _, code := l.try("apps:create", old.name); return code == 0 })
	l.dokku("apps:lock", app.name)
	contains(t, app.rejected(files{"version": "3"}), "currently has a deploy lock in place", "apps:unlock "+app.name)
}

// Mapped ports of the host lead to the app at once; another web port is what
// new processes find as PORT.
func TestPorts(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	a := l.deployed(nil)
	free, err := net.Listen("tcp", ":0")
	must(t, err)
	port := free.Addr().(*net.TCPAddr).Port
	main := fmt.Sprintf("http:%d:5000", l.nginx.Port)
	before := a.everything()
	contains(t, a.refused("ports:set", a.name, main, fmt.Sprintf("http:%d:5000", port)), "is taken: another program")
	if after := a.everything(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	must(t, free.Close())

	one := a.instances()["web.1"]
	l.dokku("ports:add", a.name, fmt.Sprintf("http:%d:5000", port))
	check := func(what string) {
		t.Helper()
		status, body, err := a.ask(fmt.Sprintf("127.0.0.1:%d", port), "/")
		if err != nil || status != http.StatusOK || !strings.HasPrefix(body, a.tip("main")) {
			t.Errorf("%s: the port answers %d %q, %v", what, status, body, err)
		}
	}
	check("after ports:add")
	if a.instances()["web.1"] != one {
		t.Error("ports:add replaces web.1")
	}
	l.dokku("ports:set", a.name, fmt.Sprintf("http:%d:7777", port))
	check("after another web port")
	if up := a.upstreams(); len(up) != 1 || up[0].Port() != 7777 {
		t.Errorf("the upstreams are %v", up)
	}
	if status, _ := a.get("/"); status == http.StatusOK {
		t.Error("the main port still answers for the app")
	}
	a.push(files{"version": "2"})
	check("after a push")
	l.dokku("ports:clear", a.name)
	a.serves(a.tip("main"))
}
