package docker

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestHangUp: a command whose caller goes away before the engine knows the command's number
// is ended as soon as it does.
func TestHangUp(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("c", 64)
	proc := t.TempDir()
	for name, text := range map[string]string{"cgroup": "0::/system.slice/docker-" + id + ".scope\n", "status": "Name:\tsh\nNSpid:\t77\t9\n"} {
		if err := os.MkdirAll(filepath.Join(proc, "77"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(proc, "77", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var asked atomic.Int32
	killed := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("API-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/exec/x/json"):
			pid := 0
			if asked.Add(1) > 3 {
				pid = 77
			}
			fmt.Fprintf(w, `{"ID":"x","ContainerID":%q,"Running":true,"Pid":%d}`, id, pid)
		case strings.HasSuffix(r.URL.Path, "/containers/"+id+"/exec"):
			body, _ := io.ReadAll(r.Body)
			killed <- string(body)
			http.Error(w, `{"message":"gone"}`, http.StatusNotFound)
		}
	}))
	defer s.Close()
	d, err := New(Config{Host: "tcp://" + s.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	d.SetProc(proc)
	cli, err := d.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.hangUp(t.Context(), cli, "x")
	select {
	case body := <-killed:
		if !strings.Contains(body, `"kill -HUP 9"`) {
			t.Errorf("it runs %s", body)
		}
	default:
		t.Error("the command goes on")
	}
}
