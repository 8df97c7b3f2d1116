package acme_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/letsencrypt/challtestsrv"

	"dokku/agent/certs/acme"
	"dokku/agent/certs/acme/acmetest"
)

// zone is the DNS that all tests share, and zoneAddr its address. Every name leads to
// 127.0.0.1 unless a test says otherwise.
var (
	zone     *challtestsrv.ChallSrv
	zoneAddr string
)

func TestMain(m *testing.M) {
	if acmetest.Host() {
		return
	}
	if text := os.Getenv(childVariable); text != "" {
		child(text)
		return
	}
	z, err := acmetest.StartZone()
	if err != nil {
		log.Fatal(err)
	}
	zone, zoneAddr = z.ChallSrv, z.Address
	code := m.Run()
	zone.Shutdown()
	os.Exit(code)
}

func freeAddr() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// authority is a real ACME server, with the web servers of all names.
type authority struct {
	*httptest.Server
	bundle string
	acme   http.Handler
	admin  http.Handler
	// thumbprint is what the web servers answer with.
	thumbprint atomic.Value
	// front may answer a request in the CA's place: it returns true then.
	front atomic.Value
	mu    sync.Mutex
	seen  []string // "METHOD path" of the requests
}

type front func(w http.ResponseWriter, r *http.Request) bool

func newCA(t *testing.T, o acmetest.Options) *authority {
	t.Helper()
	a := &authority{}
	a.thumbprint.Store("")
	a.front.Store(front(func(http.ResponseWriter, *http.Request) bool { return false }))
	web := httptest.NewServer(http.HandlerFunc(a.web))
	t.Cleanup(web.Close)
	o.Zone, o.Port = zoneAddr, web.Listener.Addr().(*net.TCPAddr).Port
	a.acme, a.admin = acmetest.Hosted(t, o)
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.seen = append(a.seen, r.Method+" "+r.URL.Path)
		a.mu.Unlock()
		if !a.front.Load().(front)(w, r) {
			a.acme.ServeHTTP(w, r)
		}
	}))
	a.Config.ErrorLog = log.New(io.Discard, "", 0)
	a.StartTLS()
	t.Cleanup(a.Close)
	a.bundle = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(a.bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// web answers HTTP-01 as the proxy does: from the token and the thumbprint alone.
func (a *authority) web(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.URL.Path, "/.well-known/acme-challenge/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	fmt.Fprintf(w, "%s.%s", token, a.thumbprint.Load())
}

// count is how many requests had a part of a path in them.
func (a *authority) count(part string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, s := range a.seen {
		if strings.Contains(s, part) {
			n++
		}
	}
	return n
}

// before answers requests to a path in the CA's place.
func (a *authority) before(part string, f http.HandlerFunc) {
	a.front.Store(front(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, part) {
			f(w, r)
			return true
		}
		return false
	}))
}

func (a *authority) config(t *testing.T) acme.Config {
	return acme.Config{Directory: a.URL + "/dir", Bundle: a.bundle, Accounts: filepath.Join(t.TempDir(), "accounts"), Resolvers: []string{zoneAddr}}
}

// client is a client whose web servers answer for its account.
func (a *authority) client(t *testing.T, c acme.Config) *acme.Client {
	t.Helper()
	client := acme.New(c)
	thumbprint, err := client.Thumbprint()
	if err != nil {
		t.Fatal(err)
	}
	a.thumbprint.Store(thumbprint)
	return client
}

// leadNowhere makes a name's web server one that no CA reaches.
func leadNowhere(t *testing.T, name string) {
	zone.AddDNSARecord(name+".", []string{"127.0.0.2"})
	t.Cleanup(func() { zone.DeleteDNSARecord(name + ".") })
}
