package acme_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"dokku/agent/certs/acme"
	"dokku/agent/certs/acme/acmetest"
)

// records is a server that changes the zone as the provider httpreq asks it to, or a
// script does. It returns its URL.
type records struct {
	*httptest.Server
	mu  sync.Mutex
	log []string // "present NAME", "cleanup NAME"
	// deaf does not add records.
	deaf func()
}

func newRecords(t *testing.T) *records {
	r := &records{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		action := strings.TrimPrefix(req.URL.Path, "/")
		var m struct{ FQDN, Value string }
		if action == "script" { // ACTION FQDN VALUE
			words := strings.Fields(string(body))
			action, m.FQDN, m.Value = words[0], words[1], words[2]
		} else if err := json.Unmarshal(body, &m); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		r.mu.Lock()
		r.log = append(r.log, action+" "+m.FQDN)
		r.mu.Unlock()
		switch {
		case action == "present" && r.deaf != nil:
			r.deaf()
		case action == "present":
			zone.AddDNSTXTRecord(m.FQDN, m.Value)
		default:
			zone.DeleteDNSTXTRecord(m.FQDN)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *records) calls() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.log))
}

func TestWildcard(t *testing.T) {
	t.Parallel()
	a, r := newCA(t, acmetest.Options{}), newRecords(t)
	config := a.config(t)
	config.DNS = acme.DNS{Provider: "httpreq", Env: map[string]string{"HTTPREQ_ENDPOINT": r.URL, "HTTPREQ_POLLING_INTERVAL": "1"}}
	c := a.client(t, config)
	a.thumbprint.Store("no name goes by HTTP, but addresses")
	obtain(t, c, acme.Order{Names: []string{"*.wild.example", "wild.example", "a.wild.example"}})
	want := []string{
		"cleanup _acme-challenge.a.wild.example.", "cleanup _acme-challenge.wild.example.", "cleanup _acme-challenge.wild.example.",
		"present _acme-challenge.a.wild.example.", "present _acme-challenge.wild.example.", "present _acme-challenge.wild.example.",
	}
	if got := r.calls(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, ok := os.LookupEnv("HTTPREQ_ENDPOINT"); ok {
		t.Error("the process keeps the environment of the provider")
	}
	a.client(t, config)
	obtain(t, c, acme.Order{Names: []string{"127.0.0.1", "b.wild.example"}, DNSOnly: false})
}

// A script of the provider exec gets its own settings and nothing of the process.
func TestScript(t *testing.T) {
	a, r := newCA(t, acmetest.Options{}), newRecords(t)
	t.Setenv("CLOUDFLARE_DNS_API_TOKEN", "of another")
	dir := t.TempDir()
	call, err := json.Marshal(work{Post: r.URL + "/script"})
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "script")
	text := fmt.Sprintf("#!/bin/sh\nenv >%s/env\n%s='%s' exec %s \"$@\"\n", dir, childVariable, call, binary)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	config := a.config(t)
	config.DNS = acme.DNS{Provider: "exec", Env: map[string]string{"EXEC_PATH": script, "EXEC_POLLING_INTERVAL": "1", "EXEC_SEQUENCE_INTERVAL": "1", "MY_TOKEN": "mine"}}
	c := a.client(t, config)
	obtain(t, c, acme.Order{Names: []string{"*.script.example", "script.example"}})
	if got := r.calls(); len(got) != 4 {
		t.Errorf("got %q", got)
	}
	env, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil || !strings.Contains(string(env), "MY_TOKEN=mine\n") || strings.Contains(string(env), "CLOUDFLARE") {
		t.Errorf("%v\n%s", err, env)
	}
	// A script that fails is quoted, without secrets.
	text = "#!/bin/sh\necho no such zone, with mine-all-mine >&2\nexit 3\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	c.DNS.Env["MY_TOKEN"] = "mine-all-mine"
	p := refused(t, c, acme.Order{Names: []string{"a.script.example"}}, "dnsProvider")
	want := "DNS provider exec: cannot add the record: " + script + ": exit status 3: no such zone, with (MY_TOKEN)"
	if p.Name != "a.script.example" || p.Detail != want {
		t.Errorf("got %v, want %q", p, want)
	}
}

// The record never appears. The end of the context ends the wait, and the record is
// removed all the same.
func TestRecordNeverSeen(t *testing.T) {
	t.Parallel()
	a, r := newCA(t, acmetest.Options{}), newRecords(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.deaf = func() {}
	config := a.config(t)
	config.DNS = acme.DNS{Provider: "httpreq", Env: map[string]string{"HTTPREQ_ENDPOINT": r.URL, "HTTPREQ_PROPAGATION_TIMEOUT": "1", "HTTPREQ_POLLING_INTERVAL": "1"}}
	p := refused(t, a.client(t, config), acme.Order{Names: []string{"deaf.example"}}, "dnsProvider")
	if p.Name != "deaf.example" || !strings.Contains(p.Detail, "the record was added and cannot be seen") {
		t.Errorf("got %v", p)
	}
	r.deaf = cancel
	config.DNS.Env["HTTPREQ_PROPAGATION_TIMEOUT"] = "3600"
	if _, _, err := a.client(t, config).Obtain(ctx, acme.Order{Names: []string{"deaf.example"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := r.calls(); len(got) != 4 || got[1] != "cleanup _acme-challenge.deaf.example." {
		t.Errorf("got %q", got)
	}
	if n := a.count("POST /chalZ/"); n != 0 {
		t.Errorf("the CA was asked to check %d times", n)
	}
}

// What one provider refuses for one name costs the others nothing.
func TestProviderRefusesOne(t *testing.T) {
	t.Parallel()
	a, r := newCA(t, acmetest.Options{}), newRecords(t)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		if strings.Contains(string(body), "_acme-challenge.b.") {
			http.Error(w, "not your zone, hunter2-and-more", http.StatusForbidden)
			return
		}
		resp, err := http.Post(r.URL+req.URL.Path, "application/json", strings.NewReader(string(body)))
		if err != nil || resp.StatusCode != 200 {
			http.Error(w, "broken", 500)
		}
	}))
	t.Cleanup(front.Close)
	config := a.config(t)
	config.DNS = acme.DNS{Provider: "httpreq", Env: map[string]string{"HTTPREQ_ENDPOINT": front.URL, "HTTPREQ_PASSWORD": "hunter2-and-more", "HTTPREQ_USERNAME": "me"}}
	pair, problems, err := a.client(t, config).Obtain(t.Context(), acme.Order{Names: []string{"a.one.example", "b.one.example"}})
	if err != nil || len(pair.Leaf.DNSNames) != 1 || len(problems) != 1 || problems[0].Name != "b.one.example" || problems[0].Type != "dnsProvider" {
		t.Fatalf("got %v, %v", problems, err)
	}
	if d := problems[0].Detail; !strings.Contains(d, "not your zone, (HTTPREQ_PASSWORD)") {
		t.Errorf("got %q", d)
	}
}

// The provider of RFC 2136 works by the name and the variables of lego 4.
func TestRFC2136(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	addr := freeAddr()
	server := &dns.Server{Addr: addr, Net: "udp", TsigSecret: map[string]string{"key.": "c2VjcmV0"}, MsgAcceptFunc: func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
			reply := new(dns.Msg).SetReply(m)
			switch {
			case m.Opcode == dns.OpcodeQuery && m.Question[0].Qtype == dns.TypeSOA && m.Question[0].Name == "update.example.":
				reply.Answer = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "update.example.", Rrtype: dns.TypeSOA, Class: dns.ClassINET}, Ns: "ns.update.example.", Mbox: "x."}}
			case m.Opcode == dns.OpcodeUpdate && (m.IsTsig() == nil || w.TsigStatus() != nil):
				reply.Rcode = dns.RcodeRefused
			case m.Opcode == dns.OpcodeUpdate:
				for _, rr := range m.Ns {
					txt, ok := rr.(*dns.TXT)
					switch {
					case ok && txt.Hdr.Class == dns.ClassINET:
						zone.AddDNSTXTRecord(txt.Hdr.Name, txt.Txt[0])
					case ok:
						zone.DeleteDNSTXTRecord(txt.Hdr.Name)
					}
				}
				reply.SetTsig("key.", dns.HmacSHA256, 300, time.Now().Unix())
			}
			w.WriteMsg(reply)
		})}
	started := make(chan struct{})
	server.NotifyStartedFunc = func() { close(started) }
	go server.ListenAndServe()
	<-started
	t.Cleanup(func() { server.Shutdown() })
	config := a.config(t)
	config.DNS = acme.DNS{Provider: "rfc2136", Env: map[string]string{"RFC2136_NAMESERVER": addr, "RFC2136_TSIG_KEY": "key", "RFC2136_TSIG_SECRET": "c2VjcmV0", "RFC2136_TSIG_ALGORITHM": "hmac-sha256."}}
	obtain(t, a.client(t, config), acme.Order{Names: []string{"*.update.example"}})
	config.DNS.Env["RFC2136_TSIG_SECRET"] = "d3Jvbmc="
	refused(t, a.client(t, config), acme.Order{Names: []string{"b.update.example"}}, "dnsProvider")
}

func TestPersistentRecord(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	config := a.config(t)
	config.DNS = acme.DNS{Persist: true}
	c := a.client(t, config)
	order := acme.Order{Names: []string{"*.persist.example"}}
	p := refused(t, c, order, "dnsRecord")
	m := regexp.MustCompile(`^add this TXT record \(experimental dns-persist-01\): (_validation-persist\.persist\.example\.) with the value "(.+)"$`).FindStringSubmatch(p.Detail)
	if p.Name != "*.persist.example" || m == nil {
		t.Fatalf("got %v", p)
	}
	if fields, _ := stored(t, config.Accounts); m[2] != "pebble.letsencrypt.org; accounturi="+fields["url"]+"; policy=wildcard" {
		t.Errorf("got the value %q", m[2])
	}
	zone.AddDNSTXTRecord(m[1], m[2])
	obtain(t, c, order)
	obtain(t, c, acme.Order{Names: []string{"persist.example"}})
}

func TestProviderSettings(t *testing.T) {
	t.Parallel()
	a := newCA(t, acmetest.Options{})
	config := a.config(t)
	for _, test := range []struct {
		dns  acme.DNS
		want []string
	}{
		{acme.DNS{Provider: "cloudflare"}, []string{"the DNS provider cloudflare lacks a setting: ", "dns-provider-CLOUDFLARE_DNS_API_TOKEN"}},
		{acme.DNS{Provider: "exec"}, []string{"dns-provider-EXEC_PATH"}},
		{acme.DNS{Provider: "rfc2136"}, []string{"dns-provider-DNSUPDATE_NAMESERVER"}},
		{acme.DNS{Provider: "httpreq", Env: map[string]string{"LD_PRELOAD": "/tmp/x"}}, []string{"dns-provider-LD_PRELOAD is no setting of a DNS provider"}},
		{acme.DNS{Provider: "httpreq", Env: map[string]string{"PATH": "/tmp"}}, []string{"dns-provider-PATH is no setting"}},
		{acme.DNS{Provider: "httpreq", Env: map[string]string{"HTTPREQ_ENDPOINT": "a\x00b"}}, []string{"dns-provider-HTTPREQ_ENDPOINT has a null byte"}},
	} {
		config.DNS = test.dns
		p := refused(t, a.client(t, config), acme.Order{Names: []string{"settings.example"}}, "setup")
		for _, want := range test.want {
			if !strings.Contains(p.Detail, want) {
				t.Errorf("got %q, want %q in it", p.Detail, want)
			}
		}
	}
}

// Every linked provider says what it lacks, with names that people can set.
func TestProviders(t *testing.T) {
	t.Parallel()
	names := acme.Providers()
	if !slices.IsSorted(names) || !slices.Contains(names, "rfc2136") || !slices.Contains(names, "cloudflare") || len(names) < 20 {
		t.Errorf("providers %q", names)
	}
	for _, name := range names {
		c := &acme.Client{Config: acme.Config{DNS: acme.DNS{Provider: name}}}
		var p *acme.Problem
		if err := acme.MakeProvider(c); !errors.As(err, &p) || p.Type != "setup" || !strings.Contains(p.Detail, "dns-provider-") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
