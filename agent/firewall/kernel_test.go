package firewall

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRoot: rules are put down, found, lost, found to be lost, and put down again at boot, with each
// program that the host has. Those of another installation stay as they are.
func TestRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("the test needs root, for rules of the firewall: sudo ./install.sh test")
	}
	ctx := context.Background()
	for _, backend := range []string{NFT, IptablesNFT, IptablesLegacy} {
		t.Run(backend, func(t *testing.T) {
			dir := t.TempDir()
			name := fmt.Sprintf("dokku-u%d", os.Getpid())
			r := Root{Name: name, Dir: filepath.Join(dir, "a"), Backend: backend}
			beside := Root{Name: name + "-b", Dir: filepath.Join(dir, "b"), Backend: backend}
			t.Cleanup(func() { r.Remove(ctx); beside.Remove(ctx) })
			rules := `{"web":[80],"bridges":[{"name":"dk-012345678901","except":["10.0.0.2"],"open":[{"ports":["5432"]}]},{"name":"dk-x"}]}`
			do := func(to Root, do, rules string) error {
				return to.Serve(ctx, strings.NewReader(`{"do":"`+do+`","rules":`+rules+`}`))
			}
			expect := func(what string, err error, want string) {
				t.Helper()
				if err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
					t.Errorf("%s: %v, want %q", what, err, want)
				}
			}
			expect("check before", do(r, doCheck, rules), "there are no rules yet")
			expect("boot before", r.Boot(ctx), "")
			expect("check of others", do(r, doCheck, rules), "the rules are other ones")
			expect("apply", do(r, doApply, rules), "")
			expect("apply beside", do(beside, doApply, rules), "")
			expect("check", do(r, doCheck, rules), "")
			expect("apply again", do(r, doApply, rules), "")
			expect("check again", do(r, doCheck, rules), "")
			k, err := kernelOf(ctx, backend)
			if err != nil {
				t.Fatal(err)
			}
			k.remove(ctx, name)
			expect("check of lost rules", do(r, doCheck, rules), "the rules are gone")
			expect("check beside", do(beside, doCheck, rules), "")
			expect("boot", r.Boot(ctx), "")
			expect("check after boot", do(r, doCheck, rules), "")
			if err := k.apply(ctx, name, Rules{}); err != nil {
				t.Fatal(err)
			}
			expect("check of changed rules", do(r, doCheck, rules), "somebody has changed the rules")
			expect("a bad request", do(r, doApply, `{"bridges":[{"name":"lo"}]}`), "lo is not a bridge")
			if fi, err := os.Stat(r.file()); err != nil || fi.Mode().Perm() != 0o600 {
				t.Errorf("the rules are kept in %v (%v)", fi, err)
			}
			expect("remove", r.Remove(ctx), "")
			expect("check after removal", do(r, doCheck, rules), "there are no rules yet")
		})
	}
}

// TestRootOf: a name is part of names of tables and chains.
func TestRootOf(t *testing.T) {
	for words, want := range map[string]string{"dokku": "/var/lib/dokku/firewall", "dokku-beside": "/var/lib/dokku-beside/firewall", "dokku /x nft": "/x",
		"": "", "docker": "", "dokku;x": "", "dokku /x nft y": "", "dokku-" + strings.Repeat("a", 20): ""} {
		r, err := RootOf(strings.Fields(words))
		if (err == nil) != (want != "") || err == nil && r.Dir != want {
			t.Errorf("%q: %+v, %v", words, r, err)
		}
	}
	if _, err := kernelOf(context.Background(), "pf"); err == nil {
		t.Error("pf is a firewall of Linux")
	}
}

// TestHelper: an older installation lacks root's part.
func TestHelper(t *testing.T) {
	h := Helper{Command: []string{"sudo", "-n", filepath.Join(t.TempDir(), "firewall")}}
	if err := h.Check(context.Background(), Rules{}); err == nil || !strings.Contains(err.Error(), "not installed") {
		t.Errorf("check: %v", err)
	}
	file := filepath.Join(t.TempDir(), "firewall")
	if err := os.WriteFile(file, []byte("#!/bin/sh\ngrep -q '\"do\":\"apply\"' || { echo ' !     no'; exit 1; }\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	h = Helper{Command: []string{file}}
	if err := h.Apply(context.Background(), Rules{}); err != nil {
		t.Error(err)
	}
	if err := h.Check(context.Background(), Rules{}); err == nil || !strings.Contains(err.Error(), "the firewall's rules: no (") {
		t.Errorf("check: %v", err)
	}
}
