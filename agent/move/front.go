package move

import (
	"archive/tar"
	"bytes"
	"io"
	"slices"
	"strings"
	"time"

	"dokku/agent/certs"
)

func (p *planning) certificate(a *App) {
	chain := a.Certificate
	if pair, _, err := certs.Parse([]byte(a.Certificate), []byte(a.PrivateKey), time.Now()); err == nil {
		chain = string(pair.Chain) // as it is stored here
	}
	if a.Certificate == "" || a.PrivateKey == "" || chain == p.have.Certificate || p.have.Issued {
		return
	}
	p.steps = append(p.steps, Step{Words: []string{"certs:add", "--", p.app}, Stdin: certificateTar(a.Certificate, a.PrivateKey), Shown: "certs:add " + p.app + " server.crt server.key"})
	if a.letsencrypt() {
		p.note("its certificate is from letsencrypt, and is not renewed here yet: once DNS leads here, run dokku letsencrypt:enable %s", p.app)
	}
}

// certificateTar is what certs:add reads.
func certificateTar(chain, key string) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range [][2]string{{"server.crt", chain}, {"server.key", key}} {
		w.WriteHeader(&tar.Header{Name: f[0], Mode: 0o600, Size: int64(len(f[1])), Typeflag: tar.TypeReg})
		io.WriteString(w, f[1])
	}
	w.Close()
	return b.String()
}

// joins reports whether the app joins networks that somebody made.
func (a *App) joins() bool {
	r := a.Reports["network"]
	return r["attach-post-create"] != "" || r["attach-post-deploy"] != "" || r["initial-network"] != ""
}

// letsencrypt reports whether the app's certificate is from that plugin.
func (a *App) letsencrypt() bool {
	return a.Reports["letsencrypt"]["active"] == "true" || strings.Contains(a.Reports["certs"]["issuer"], "Let's Encrypt")
}

// beside does what stands in front of the app: redirects, passwords, maintenance.
func (p *planning) beside(a *App) {
	have := strings.Fields(p.have.Reports["redirect"]["map"])
	for _, line := range a.Redirects {
		f := append(strings.Split(line, ":"), "301")
		if len(f) >= 3 && f[2] == "" {
			f[2] = "301"
		}
		if len(f) >= 3 && !slices.Contains(have, strings.Join(f[:3], ":")) {
			p.do("redirect:set", p.app, f[0], f[1], f[2])
		}
	}
	auth, hereAuth := a.Reports["http-auth"], p.have.Reports["http-auth"]
	if users := usersOf(a.Users); len(users) > 0 && !slices.Equal(users, sortedWords(hereAuth["users"])) {
		p.steps = append(p.steps, Step{Words: []string{"http-auth:import-users", "--", p.app}, Stdin: a.Users, Shown: "http-auth:import-users " + p.app + " < htpasswd", Needed: true})
	}
	asks := hereAuth["enabled"] == "true" // and after a step that enables it
	for _, ip := range strings.Fields(auth["allowed-ips"]) {
		if !slices.Contains(strings.Fields(hereAuth["allowed-ips"]), ip) {
			asks = true
			p.do("http-auth:add-allowed-ip", p.app, ip)
		}
	}
	if domains := sortedWords(auth["domains"]); len(domains) > 0 && !slices.Equal(domains, sortedWords(hereAuth["domains"])) {
		asks = true
		p.do(append([]string{"http-auth:set-domains", p.app}, domains...)...)
	}
	if auth["enabled"] == "true" && !asks {
		p.steps = append(p.steps, Step{Words: []string{"http-auth:enable", "--", p.app}, Needed: true})
	} else if auth["enabled"] == "false" && asks {
		p.do("http-auth:disable", p.app)
	}
	if on := a.Reports["maintenance"]["enabled"]; on == "true" && p.have.Reports["maintenance"]["enabled"] != "true" {
		p.do("maintenance:enable", p.app)
	}
	p.page(a)
}

func usersOf(htpasswd string) (users []string) {
	for _, line := range lines(htpasswd) {
		name, _, _ := strings.Cut(line, ":")
		users = append(users, name)
	}
	slices.Sort(users)
	return users
}
