package registry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/docker/docker/client"
)

// TestPull: the bytes of all layers are summed, texts about the image are passed on, and an
// error in the answer is the error of the pull.
func TestPull(t *testing.T) {
	const begin = `{"status":"Pulling from web","id":"1"}
{"status":"Downloading","id":"a","progressDetail":{"current":10,"total":100}}
{"status":"Downloading","id":"b","progressDetail":{"current":5,"total":50}}
{"status":"Downloading","id":"a","progressDetail":{"current":100,"total":100}}
{"status":"Pull complete","id":"a","progressDetail":{}}
`
	for answer, want := range map[string]string{
		begin + `{"status":"Digest: sha256:1"}` + "\n": "Digest: sha256:1 105/150 <nil>",
		begin + `{"error":"manifest unknown"}` + "\n":  " 105/150 manifest unknown",
		begin + "oops": " 105/150 the engine's answer cannot be read: invalid character 'o' looking for beginning of value",
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("X-Registry-Auth"); !strings.HasSuffix(r.URL.Path, "/images/create") || got != "secret" {
				t.Errorf("%s with the login %q", r.URL, got)
			}
			fmt.Fprint(w, answer)
		}))
		cli, err := client.NewClientWithOpts(client.WithHost("tcp://"+s.Listener.Addr().String()), client.WithVersion("1.41"))
		if err != nil {
			t.Fatal(err)
		}
		var last Pulled
		err = Pull(t.Context(), cli, "web", "secret", func(p Pulled) { last = p })
		if got := fmt.Sprintf("%s %d/%d %v", last.Status, last.Done, last.Total, err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if err := Pull(t.Context(), cli, "web", "secret", nil); (err == nil) != strings.HasSuffix(want, "<nil>") {
			t.Errorf("without news: %v", err)
		}
		s.Close()
	}
}
