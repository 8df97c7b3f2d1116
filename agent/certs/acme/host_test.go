package acme_test

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

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// The CAs run in a process of their own, because Pebble has data races, at which the race
// detector would fail the tests. hostURL is where that process makes CAs.
var hostURL string

// options are those of a CA.
type options struct {
	RejectNonces int // percent
	EAB          map[string]string
	Blocked      []string
	Zone         string // address of the DNS
	Port         int    // of the web servers
}

// profiles are those of Let's Encrypt.
var profiles = map[string]ca.Profile{
	"classic":    {Description: "90 days", ValidityPeriod: 90 * 24 * 3600},
	"shortlived": {Description: "6 days", ValidityPeriod: 160 * 3600},
}

// addresses are those of a CA, for ACME and for administrators.
type addresses struct{ ACME, Admin string }

// startHost starts the process. It ends when its standard input does.
func startHost() (stop func(), err error) {
	text, err := json.Marshal(work{Host: true})
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	hostURL, err = bufio.NewReader(out).ReadString('\n')
	hostURL = strings.TrimSpace(hostURL)
	return func() { in.Close(); cmd.Wait() }, err
}

// host is that process.
func host() {
	os.Setenv("PEBBLE_VA_NOSLEEP", "1")
	fmt.Println("http://" + serve(http.HandlerFunc(makeCA)))
	io.Copy(io.Discard, os.Stdin)
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
	var o options
	err := json.NewDecoder(r.Body).Decode(&o)
	quiet := log.New(io.Discard, "", 0)
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
	authority := ca.New(quiet, store, "", "ecdsa", 0, 1, profiles)
	front := wfe.New(quiet, store, va.New(quiet, o.Port, o.Port, false, o.Zone, store), authority, []string{"pebble.letsencrypt.org"}, false, o.EAB != nil, 1, 1)
	json.NewEncoder(w).Encode(addresses{ACME: serve(front.Handler()), Admin: serve(front.ManagementHandler())})
}

// hosted makes a CA. Its URLs are those of the server in which the handler acme is.
func hosted(t *testing.T, o options) (acme, admin http.Handler) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(hostURL, "application/json", bytes.NewReader(text))
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
