package acmetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// Options are those of a CA.
type Options struct {
	RejectNonces int // percent
	EAB          map[string]string
	Blocked      []string
	Zone         string        // address of the DNS
	Port         int           // of the web servers
	Life         time.Duration // of certificates; 0: those of Let's Encrypt's profiles
}

func (o Options) profiles() map[string]ca.Profile {
	if o.Life != 0 {
		return map[string]ca.Profile{"default": {Description: o.Life.String(), ValidityPeriod: uint64(o.Life.Seconds())}}
	}
	return map[string]ca.Profile{
		"classic":    {Description: "90 days", ValidityPeriod: 90 * 24 * 3600},
		"shortlived": {Description: "6 days", ValidityPeriod: 160 * 3600},
	}
}

// hostVariable is set in the process that runs the CAs.
const hostVariable = "DOKKU_TEST_CAS"

// addresses are those of a CA, for ACME and for administrators.
type addresses struct{ ACME, Admin string }

// A process runs the CAs, and makes one at its URL.
type process struct {
	url   string
	stdin io.Closer // it ends when this is closed, and a pipe that nothing names is closed
}

// startHost starts the process that runs the CAs, the test's own program. It ends with the
// test's process.
var startHost = sync.OnceValues(func() (p process, err error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), hostVariable+"=1")
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return p, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return p, err
	}
	if err := cmd.Start(); err != nil {
		return p, err
	}
	p.url, err = bufio.NewReader(out).ReadString('\n')
	p.url = strings.TrimSpace(p.url)
	return p, err
})

// Host runs CAs if this is the process for it, and reports whether it was. TestMain begins
// with it.
func Host() bool {
	if os.Getenv(hostVariable) == "" {
		return false
	}
	os.Setenv("PEBBLE_VA_NOSLEEP", "1")
	fmt.Println("http://" + serve(http.HandlerFunc(makeCA)))
	io.Copy(io.Discard, os.Stdin)
	return true
}

// serve answers on a free port of loopback until the process ends.
func serve(h http.Handler) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(l, h)
	return l.Addr().String()
}

// settingUp is held while a CA reads the environment.
var settingUp sync.Mutex

func makeCA(w http.ResponseWriter, r *http.Request) {
	var o Options
	err := json.NewDecoder(r.Body).Decode(&o)
	store := db.NewMemoryStore()
	for id, key := range o.EAB {
		err = errors.Join(err, store.AddExternalAccountKeyByID(id, key))
	}
	for _, name := range o.Blocked {
		err = errors.Join(err, store.AddBlockedDomain(name))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	settingUp.Lock()
	defer settingUp.Unlock()
	os.Setenv("PEBBLE_WFE_NONCEREJECT", fmt.Sprint(o.RejectNonces))
	authority := ca.New(quiet, store, "", "ecdsa", 0, 1, o.profiles())
	front := wfe.New(quiet, store, va.New(quiet, o.Port, o.Port, false, o.Zone, store), authority, []string{"pebble.letsencrypt.org"}, false, o.EAB != nil, 1, 1)
	json.NewEncoder(w).Encode(addresses{ACME: serve(front.Handler()), Admin: serve(front.ManagementHandler())})
}

// Hosted makes a CA. Its URLs are those of the server in which the handler acme is.
func Hosted(t *testing.T, o Options) (acme, admin http.Handler) {
	t.Helper()
	p, err := startHost()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(p.url, "application/json", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var at addresses
	if err := json.NewDecoder(resp.Body).Decode(&at); err != nil {
		t.Fatal(err)
	}
	return proxy(at.ACME), proxy(at.Admin)
}

// proxy passes requests on, each in one piece.
func proxy(addr string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		out, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+addr+r.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			panic(err)
		}
		out.Host, out.Header = r.Host, r.Header.Clone()
		out.Header.Set("X-Forwarded-Proto", "https")
		resp, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		w.Write(answer)
	})
}
