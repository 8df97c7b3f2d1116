package doors_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dokku/agent/proxy/doors"
	"dokku/agent/proxy/memory"
)

// served has a front door answer one request.
func served(t *testing.T, d *doors.Door, request string) (text string) {
	t.Helper()
	var out bytes.Buffer
	check(t, d.Serve(t.Context(), strings.NewReader(request), &out))
	var answer struct {
		Protocol int
		Error    string
		Token    string
	}
	check(t, json.Unmarshal(out.Bytes(), &answer))
	if answer.Protocol != doors.Protocol {
		t.Errorf("the answer has the protocol %d", answer.Protocol)
	}
	if answer.Error == "" {
		return "token " + answer.Token
	}
	return answer.Error
}

// TestServeRefuses: a front door carries out nothing but the requests of its protocol, with
// routes that are valid and files that they name. Nothing is written elsewhere.
func TestServeRefuses(t *testing.T) {
	m := memory.New()
	dir := t.TempDir()
	d := &doors.Door{Dir: filepath.Join(dir, "front-door"), Logs: "/var/log/nginx", Port: 80, TLSPort: 443, Proxy: func(doors.Settings) doors.Served { return m }}
	const id = "0123456789abcdef"
	route := `"Route":{"App":"shop","Domains":["shop.example.com"],"Elsewhere":true,"Certificates":[{"ID":"` + id + `","Domains":["shop.example.com"]}]}`
	file := func(of, id, name string) string {
		return fmt.Sprintf(`"Files":[{"Of":%q,"ID":%q,"Name":%q,"Data":"eA=="}]`, of, id, name)
	}
	for request, want := range map[string]string{
		"":                              "cannot read the request: no message of a front door",
		"ls -l":                         "cannot read the request: no message of a front door",
		`{"Op":"publish"}`:              "cannot read the request: no message of a front door",
		`{"Protocol":3,"Op":"status"}`:  "the server speaks version 3 of the protocol of front doors, not 2: update both servers to the same version of dokku",
		`{"Protocol":2,"Op":"run"}`:     `a front door knows no "run"`,
		`{"Protocol":2,"Op":"publish"}`: "the request has no route",
		`{"Protocol":2,"Op":"publish","Route":{"App":"shop","Elsewhere":true,"Entrance":{"ID":"../x"}}}`:                                                                  "invalid certificate \"../x\" of the entrance",
		`{"Protocol":2,"Op":"withdraw","App":"../x"}`:                                                                                                                     "invalid app name",
		`{"Protocol":2,"Op":"publish","Route":{"App":"../x"}}`:                                                                                                            "invalid app name",
		`{"Protocol":2,"Op":"publish","Route":{"App":"shop","Domains":["a;b"]}}`:                                                                                          "invalid domain",
		`{"Protocol":2,"Op":"publish","Replaces":"../x","Route":{"App":"shop"}}`:                                                                                          "invalid app name",
		`{"Protocol":2,"Op":"publish","Route":{"App":"shop","Onward":true}}`:                                                                                              "does not say where the server is",
		`{"Protocol":2,"Op":"publish","Users":{"a":"x"},"Route":{"App":"shop","Auth":{}}}`:                                                                                "invalid password",
		`{"Protocol":2,"Op":"publish",` + route + `,` + file("certificate", id, "../../../x") + `}`:                                                                       "does not name its file",
		`{"Protocol":2,"Op":"publish",` + route + `,` + file("certificate", id, "server.crt.conf") + `}`:                                                                  "does not name its file",
		`{"Protocol":2,"Op":"publish",` + route + `,` + file("certificate", "ffffffffffffffff", "server.key") + `}`:                                                       "does not name its file",
		`{"Protocol":2,"Op":"publish",` + route + `,` + file("page", id, "a.html") + `}`:                                                                                  "does not name its file",
		`{"Protocol":2,"Op":"publish",` + route + `,` + file("include", "", "../own.conf") + `}`:                                                                          "does not name its file",
		`{"Protocol":2,"Op":"publish",` + route + `,` + file("include", "", "own.sh") + `}`:                                                                               "does not name its file",
		`{"Protocol":2,"Op":"publish",` + route + `,` + file("home", "", "own.conf") + `}`:                                                                                "does not name its file",
		`{"Protocol":2,"Op":"publish",` + route + `,"Files":[{"Of":"include","Name":"a.conf","Data":"` + base64.StdEncoding.EncodeToString(make([]byte, 17<<20)) + `"}]}`: "has more than 16 MiB",
		`{"Protocol":2,"Op":"publish",` + route + `,` + file("certificate", id, "server.crt") + `}`:                                                                       "token ",
	} {
		if got := served(t, d, request); !strings.Contains(got, want) {
			t.Errorf("%.120s is answered with %q, want %q", request, got, want)
		}
	}
	if got := served(t, d, strings.Repeat(" ", 65<<20)); !strings.Contains(got, "more than 64 MiB") {
		t.Error(got)
	}
	entries, err := os.ReadDir(dir)
	check(t, err)
	if len(entries) != 1 {
		t.Errorf("the folder has %v", entries)
	}
}

// TestOtherProtocol: a server says so too, and takes nothing for granted.
func TestOtherProtocol(t *testing.T) {
	w := newTown(t)
	w.first.Answer = []byte(`{"Protocol":7,"Token":"x"}`)
	says(t, w.Publish(t.Context(), route(1, "10.0.0.5:1")), "it speaks version 7 of the protocol of front doors, not 2")
	w.first.Answer = []byte("Last login: today\n")
	says(t, w.Publish(t.Context(), route(1, "10.0.0.5:1")), "its answer is none of a front door")
}

// TestLeftovers: the files of a request that was cut off go after an hour.
func TestLeftovers(t *testing.T) {
	w := newTown(t)
	old, young := filepath.Join(w.first.Dir, "in-old"), filepath.Join(w.first.Dir, "in-young")
	for _, dir := range []string{old, young} {
		check(t, os.MkdirAll(dir, 0o700))
	}
	past := time.Now().Add(-2 * time.Hour)
	check(t, os.Chtimes(old, past, past))
	check(t, w.Publish(context.Background(), route(1, "10.0.0.5:1")))
	if _, err := os.Stat(old); err == nil {
		t.Error("it is still there")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("the files of another request are gone")
	}
}
