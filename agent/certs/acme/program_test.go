package acme_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/certs"
	"dokku/agent/certs/acme"
)

// installLego puts a program lego into the PATH that notes how it is called. It takes its
// certificate, or what it prints when it fails, from the folder that is returned.
func installLego(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	text := fmt.Sprintf(`#!/bin/sh
printf '%%s\n' "$@" >>%[1]s/args
env >%[1]s/env
[ ! -f %[1]s/fails ] || { cat %[1]s/fails; rm %[1]s/fails; exit 1; }
while [ "$1" != --path ]; do shift; done
[ ! -e "$2/certificates" ] || { echo "a certificate from before"; exit 1; }
mkdir "$2/certificates" && cp %[1]s/dokku.crt %[1]s/dokku.key "$2/certificates"
`, dir)
	if err := os.WriteFile(filepath.Join(dir, "lego"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return dir
}

func TestInstalledLego(t *testing.T) {
	dir := installLego(t)
	pair, err := certs.SelfSigned([]string{"a.example", "*.a.example"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"dokku.crt": pair.Chain, "dokku.key": pair.Key,
		"fails": []byte(`time=now level=ERROR msg=Failed error="obtain certificate: resolver: one or more domains had a problem: [b.example: acme: error: 400 :: urn:ietf:params:acme:error:dns :: DNS problem: NXDOMAIN]"`)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("OF_THE_AGENT", "secret")
	c := acme.New(acme.Config{Directory: "https://ca.example/dir", Bundle: "/etc/ca.pem", Email: "me@a.example", KeyID: "kid", HMAC: "c2VjcmV0",
		Accounts: filepath.Join(t.TempDir(), "accounts"), Resolvers: []string{"192.0.2.53"},
		DNS: acme.DNS{Provider: "route53", Env: map[string]string{"AWS_SECRET_ACCESS_KEY": "s3cret"}}})
	order := acme.Order{Names: []string{"a.example", "*.a.example", "b.example", "192.0.2.7"}, Profile: "tlsserver"}
	got, problems, err := c.Obtain(t.Context(), order)
	if err != nil || !slices.Equal(got.Leaf.Raw, pair.Leaf.Raw) {
		t.Fatalf("got %v, %v", problems, err)
	}
	var texts []string
	for _, p := range problems {
		texts = append(texts, p.Error())
	}
	if want := []string{
		"192.0.2.7: the program lego proves names by DNS, and no address: put the address into a certificate of its own (setup)",
		"b.example: DNS problem: NXDOMAIN (dns)",
	}; !slices.Equal(texts, want) {
		t.Errorf("problems %q, want %q", texts, want)
	}
	args, _ := os.ReadFile(filepath.Join(dir, "args"))
	path, _ := filepath.Glob(filepath.Join(c.Accounts, "*.lego"))
	if len(path) != 1 {
		t.Fatalf("folders %q", path)
	}
	call := func(names ...string) string {
		words := []string{"run", "--accept-tos", "--server", "https://ca.example/dir", "--path", path[0], "--key-type", "ec256", "--cert.name", "dokku",
			"--dns", "route53", "--email", "me@a.example", "--profile", "tlsserver", "--eab", "--dns.resolvers", "192.0.2.53"}
		for _, n := range names {
			words = append(words, "--domains", n)
		}
		return strings.Join(words, "\n") + "\n"
	}
	if want := call("a.example", "*.a.example", "b.example") + call("a.example", "*.a.example"); string(args) != want {
		t.Errorf("called with\n%s\nwant\n%s", args, want)
	}
	env, _ := os.ReadFile(filepath.Join(dir, "env"))
	for _, want := range []string{"AWS_SECRET_ACCESS_KEY=s3cret\n", "LEGO_CA_CERTIFICATES=/etc/ca.pem\n", "LEGO_EAB_KID=kid\n", "LEGO_EAB_HMAC=c2VjcmV0\n"} {
		if !strings.Contains(string(env), want) {
			t.Errorf("no %q in the environment\n%s", want, env)
		}
	}
	if strings.Contains(string(env), "OF_THE_AGENT") {
		t.Error("the program has the environment of the process")
	}
	if left, _ := filepath.Glob(filepath.Join(path[0], "*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	// What it says of the whole order, without secrets.
	if err := os.WriteFile(filepath.Join(dir, "fails"), []byte("route53: s3cret is wrong, AWS_REGION too\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := refused(t, c, acme.Order{Names: []string{"a.example"}}, "dnsProvider")
	if want := "/lego: exit status 1: route53: (AWS_SECRET_ACCESS_KEY) is wrong, dns-provider-AWS_REGION too"; !strings.HasSuffix(p.Detail, want) {
		t.Errorf("got %q", p.Detail)
	}
}

func TestNoLego(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	c := acme.New(acme.Config{Directory: "https://ca.example/dir", Accounts: t.TempDir(), DNS: acme.DNS{Provider: "route53"}})
	p := refused(t, c, acme.Order{Names: []string{"a.example"}}, "setup")
	if want := `the DNS provider "route53" needs the program lego (version 5) in the PATH; without it these work: acme-dns, `; !strings.HasPrefix(p.Detail, want) || !strings.HasSuffix(p.Detail, ", vultr") {
		t.Errorf("got %q", p.Detail)
	}
}
