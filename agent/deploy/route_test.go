package deploy

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"dokku/agent/app"
	"dokku/agent/proxy"
	"dokku/agent/store"
)

// TestRouteCertificates: a route has the app's own certificate and the server's, each with
// its folder, its domains of the app and its CA's responder.
func TestRouteCertificates(t *testing.T) {
	a := &app.App{Name: "shop", Dir: "/home/dokku/shop"}
	a.State.Domains = []string{"shop.example.com", "shop.example.org", "plain.example.net"}
	a.State.Certificate = &app.Certificate{ID: "0123456789abcdef", Names: []string{"shop.example.com"}, Responder: "http://ocsp.example.com"}
	v := app.View{App: a}
	v.Settings.Certificate = &app.Certificate{ID: "fedcba9876543210", Names: []string{"*.example.com", "*.example.org"}}
	want := []proxy.Certificate{
		{ID: "0123456789abcdef", Dir: "/home/dokku/shop/dokku/tls/0123456789abcdef", Domains: []string{"shop.example.com"}, Responder: "http://ocsp.example.com"},
		{ID: "fedcba9876543210", Dir: "/home/dokku/.dokku/tls/fedcba9876543210", Domains: []string{"shop.example.org"}},
	}
	a.Dir = t.TempDir()
	got := routeOf(&store.Store{Root: "/home/dokku"}, v, &app.Release{Number: 1}).Certificates
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}

	// An admin's files that staple already would be refused beside ours.
	own := filepath.Join(a.Dir, "nginx.conf.d")
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"#ssl_stapling on;\nssl_stapling_verify on;\n":       "http://ocsp.example.com",
		"resolver 192.0.2.53;\n\tssl_stapling  on;\n":        "",
		"resolver 192.0.2.53; ssl_stapling\noff;\n":          "",
		"ssl_stapling_responder http://ocsp.example.com/;\n": "",
	} {
		if err := os.WriteFile(filepath.Join(own, "own.conf"), []byte(file), 0o644); err != nil {
			t.Fatal(err)
		}
		r := routeOf(&store.Store{Root: "/home/dokku"}, v, &app.Release{Number: 1})
		if got := r.Certificates[0].Responder; got != want {
			t.Errorf("with a file %q, the responder is %q, want %q", file, got, want)
		}
	}
}
