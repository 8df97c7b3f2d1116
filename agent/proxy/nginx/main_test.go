package nginx_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"testing"

	"dokku/agent/proxy"
	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// orders makes the test binary a process that publishes routes.
const orders = "DOKKU_TEST_PUBLISH"

type order struct {
	Config nginx.Config
	Routes []proxy.Route
}

func TestMain(m *testing.M) {
	var o order
	if text := os.Getenv(orders); text != "" {
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			panic(err)
		}
		for _, r := range o.Routes {
			if err := publish(context.Background(), nginx.New(o.Config), r); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// publish does the agent's part in a push.
func publish(ctx context.Context, p proxy.Proxy, r proxy.Route) error {
	if err := p.Stage(ctx, r); err != nil {
		return err
	}
	return p.Publish(ctx, r)
}

// process returns a command that publishes the routes in a process of its own.
func process(t *testing.T, c nginx.Config, routes ...proxy.Route) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(order{c, routes})
	check(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), orders+"="+string(text))
	cmd.Stderr = os.Stderr
	return cmd
}

// route returns a route at app.example.com to a process that answers
// "app release".
func route(t *testing.T, app string, release int) proxy.Route {
	return proxy.Route{App: app, Release: release, Domains: []string{app + ".example.com"},
		Upstreams: []netip.AddrPort{nginxtest.Process(t, fmt.Sprint(app, " ", release))}}
}

// answers checks which release answers an app's name, and that Live agrees.
func answers(t *testing.T, s *nginxtest.Server, app string, release int) {
	t.Helper()
	if _, body := s.Get(app+".example.com", "/"); body != fmt.Sprint(app, " ", release) {
		t.Errorf("%s answers %q, want release %d", app, body, release)
	}
	liveIs(t, s, app, release)
}

func liveIs(t *testing.T, s *nginxtest.Server, app string, release int) {
	t.Helper()
	if r, ok, err := s.Proxy().Live(t.Context(), app); err != nil || !ok || r.Release != release {
		t.Errorf("live is release %d of %s, %t, %v; want %d", r.Release, app, ok, err, release)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
