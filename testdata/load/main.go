// Command load sends requests to apps behind a proxy at a fixed rate, and prints the
// outcome as JSON.
//
// The loop is open: request n is sent at the start plus n/rate, regardless of earlier
// requests, and its latency counts from then. A late answer therefore makes no later
// request look early. No request is repeated.
//
// Every answer has to name its app, in a header that the server of testdata/e2e/server
// sends. Half of the connections use TLS, each with a handshake of its own, and accept only
// a certificate of the issuer in -roots for the app's name. load runs until its standard
// input ends.
package main

import (
	"crypto/x509"
	"encoding/json"
	"flag"
	"io"
	"log"
	"os"
	"strings"
	"sync"
	"time"
)

var (
	port      = flag.Int("port", 80, "the proxy's port, on 127.0.0.1 to 127.0.0.8")
	tlsPort   = flag.Int("tls-port", 443, "the proxy's port for TLS")
	roots     = flag.String("roots", "", "a file with the issuer of the apps' certificates")
	appNames  = flag.String("apps", "", "names of the apps, divided by commas")
	domain    = flag.String("domain", "e2e.test", "what follows an app's name in the Host header")
	rate      = flag.Int("rate", 500, "requests a second, of all kinds and to all apps together")
	slow      = flag.Duration("slow", 5*time.Second, "how long a slow answer takes")
	sockets   = flag.Int("websockets", 6, "how many websockets to each app are open at a time")
	shortLife = flag.Duration("short", 4*time.Second, "how long every other websocket stays open")
	longLife  = flag.Duration("long", 20*time.Second, "how long the others stay open")
	keptConns = flag.Int("keep-alive", 16, "how many kept connections to each app are open at a time")
)

// patience bounds a request, in addition to the delay of a slow answer.
const patience = 20 * time.Second

func main() {
	log.SetFlags(0)
	flag.Parse()
	if *appNames == "" || *rate < 1 || *keptConns < 1 {
		log.Fatal("load needs -apps, and a positive -rate and -keep-alive")
	}
	issuer, err := os.ReadFile(*roots)
	if err != nil {
		log.Fatal(err)
	}
	stop := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	g := newGenerator(strings.Split(*appNames, ","))
	if !g.trusted.AppendCertsFromPEM(issuer) {
		log.Fatalf("%s has no certificate", *roots)
	}
	if err := json.NewEncoder(os.Stdout).Encode(g.run(stop)); err != nil {
		log.Fatal(err)
	}
}

// A generator sends requests and records the outcomes.
type generator struct {
	*record
	apps    []*asked
	trusted *x509.CertPool // the issuer of all certificates
	wait    sync.WaitGroup
}

// asked is an app with its kept connections, which its requests take in turn.
type asked struct {
	name string
	kept []*keptConn
	turn int
}

func newGenerator(names []string) *generator {
	g := &generator{record: newRecord(), trusted: x509.NewCertPool()}
	for _, name := range names {
		a := &asked{name: name}
		for n := range *keptConns {
			a.kept = append(a.kept, &keptConn{secure: n%2 == 1})
		}
		g.apps = append(g.apps, a)
	}
	return g
}

// run sends until stop is closed, and waits for all answers.
func (g *generator) run(stop <-chan struct{}) *report {
	for _, a := range g.apps {
		for n := range *sockets {
			g.wait.Go(func() { g.keepSocket(a.name, n, stop) })
		}
	}
	begun := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; ; n++ {
		due := begun.Add(time.Duration(n) * time.Second / time.Duration(*rate))
		timer.Reset(time.Until(due))
		select {
		case <-stop:
			sending := time.Since(begun)
			g.wait.Wait()
			return g.report(sending)
		case <-timer.C:
		}
		g.late(time.Since(due))
		g.send(n, due)
	}
}

// send sends request n in the background. Of a hundred requests, 60 are GETs, 20 POSTs,
// 19 GETs over a kept connection, and one has a slow answer. Half of each kind use TLS.
func (g *generator) send(n int, due time.Time) {
	a := g.apps[(n+n/100)%len(g.apps)]
	secure := (n/2+n/100)%2 == 1
	one := func(k kind, do func(k kind) error) { g.wait.Go(func() { g.done(k, a.name, due, do(k)) }) }
	fresh := func(k kind, method, path string, sent []byte) {
		one(k.over(secure), func(k kind) error { return g.fresh(k, a.name, n, secure, method, path, sent) })
	}
	switch k := n * 37 % 100; { // 37 mixes the kinds
	case k == 0:
		fresh(slowGet, "GET", "/load/slow?for="+slow.String(), nil)
	case k < 20:
		c := a.kept[a.turn%len(a.kept)]
		a.turn++
		one(keptGet.over(c.secure), func(k kind) error { return c.get(g, k, a.name, n) })
	case k < 40:
		fresh(post, "POST", "/load/echo", body(n))
	default:
		fresh(get, "GET", "/load/answer", nil)
	}
}
