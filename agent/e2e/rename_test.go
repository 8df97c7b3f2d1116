package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
)

// TestRename renames under traffic: the app's own domain always answers, the new name
// answers at once, and nothing of the old name is left.
func TestRename(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	l.StartAgent()
	old := l.Deployed(lab.Files{"Procfile": twoTypes, "DOKKU_SCALE": "web=2\nworker=1\n"})
	app := old.Renamed()
	l.Dokku("domains:add", old.Name, "own.example.com")
	l.Dokku("config:set", old.Name, "GREETING=hello")
	rev := old.Tip("main")

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
			req, _ := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/", l.Nginx.Port), nil)
			req.Host = "own.example.com"
			resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
			if err != nil || resp.StatusCode != http.StatusOK {
				asked <- fmt.Sprintf("request %d got %+v, %v", n, resp, err)
				return
			}
			resp.Body.Close()
		}
	}()
	lab.Contains(t, l.Dokku("apps:rename", old.Name, app.Name), "-----> Renaming "+old.Name+" to "+app.Name, "All checks successful!")
	app.Serves(rev)
	app.Runs("web.1", "web.2", "worker.1")
	if status, _ := old.Get("/"); status == http.StatusOK {
		t.Errorf("the old name is still answered")
	}
	if app.Tip("main") != rev || l.Dokku("config:get", app.Name, "GREETING") != "hello\n" {
		t.Errorf("the repository or the config is not what it was")
	}
	if out, code := l.Try("ps:report", old.Name); code != 20 {
		t.Errorf("the old name still exists (%d):\n%s", code, out)
	}
	lab.WaitFor(t, "nothing carries the old name", func() bool { return old.Left() == "" })
	app.Rests()
	close(end)
	if got := <-asked; !strings.HasSuffix(got, " requests") || strings.HasPrefix(got, "0 ") {
		t.Errorf("own.example.com: %s", got)
	}

	// Pushes go to the new name, and another app can take the old one.
	app.Push(lab.Files{"version": "2"})
	app.Serves(app.Tip("main"))
	lab.WaitFor(t, "the old name is free", func() bool { _, code := l.Try("apps:create", old.Name); return code == 0 })
	l.Dokku("apps:lock", app.Name)
	lab.Contains(t, app.Rejected(lab.Files{"version": "3"}), "currently has a deploy lock in place", "apps:unlock "+app.Name)
}

// TestPorts: mapped ports of the host lead to the app at once. New processes get another
// web port as PORT.
func TestPorts(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	free, err := net.Listen("tcp", ":0")
	lab.Must(t, err)
	port := free.Addr().(*net.TCPAddr).Port
	main := fmt.Sprintf("http:%d:5000", l.Nginx.Port)
	before := a.Everything()
	lab.Contains(t, a.Lab.Refused("ports:set", a.Name, main, fmt.Sprintf("http:%d:5000", port)), "is taken: another program")
	if after := a.Everything(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	lab.Must(t, free.Close())

	one := a.Instances()["web.1"]
	l.Dokku("ports:add", a.Name, fmt.Sprintf("http:%d:5000", port))
	check := func(what string) {
		t.Helper()
		status, body, err := a.Ask(fmt.Sprintf("127.0.0.1:%d", port), "/")
		if err != nil || status != http.StatusOK || !strings.HasPrefix(body, a.Tip("main")) {
			t.Errorf("%s: the port answers %d %q, %v", what, status, body, err)
		}
	}
	check("after ports:add")
	if a.Instances()["web.1"] != one {
		t.Error("ports:add replaces web.1")
	}
	l.Dokku("ports:set", a.Name, fmt.Sprintf("http:%d:7777", port))
	check("after another web port")
	if up := a.Upstreams(); len(up) != 1 || up[0].Port() != 7777 {
		t.Errorf("the upstreams are %v", up)
	}
	if status, _ := a.Get("/"); status == http.StatusOK {
		t.Error("the main port still answers for the app")
	}
	a.Push(lab.Files{"version": "2"})
	check("after a push")
	l.Dokku("ports:clear", a.Name)
	a.Serves(a.Tip("main"))
}
