package railpack

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/docker/docker/client"
)

// answering is the client of an engine that answers everything with one text.
func answering(t *testing.T, text string) *client.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, text)
	}))
	t.Cleanup(s.Close)
	cli, err := client.NewClientWithOpts(client.WithHost("tcp://"+s.Listener.Addr().String()), client.WithVersion("1.41"))
	if err != nil {
		t.Fatal(err)
	}
	return cli
}
