package acme

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/providers/dns/acmedns"
	"github.com/go-acme/lego/v5/providers/dns/bunny"
	"github.com/go-acme/lego/v5/providers/dns/cloudflare"
	"github.com/go-acme/lego/v5/providers/dns/cloudns"
	"github.com/go-acme/lego/v5/providers/dns/digitalocean"
	"github.com/go-acme/lego/v5/providers/dns/dnsupdate"
	"github.com/go-acme/lego/v5/providers/dns/dreamhost"
	"github.com/go-acme/lego/v5/providers/dns/duckdns"
	"github.com/go-acme/lego/v5/providers/dns/easydns"
	"github.com/go-acme/lego/v5/providers/dns/gandiv5"
	"github.com/go-acme/lego/v5/providers/dns/godaddy"
	"github.com/go-acme/lego/v5/providers/dns/hetzner"
	"github.com/go-acme/lego/v5/providers/dns/httpreq"
	"github.com/go-acme/lego/v5/providers/dns/hurricane"
	"github.com/go-acme/lego/v5/providers/dns/infomaniak"
	"github.com/go-acme/lego/v5/providers/dns/inwx"
	"github.com/go-acme/lego/v5/providers/dns/ionos"
	"github.com/go-acme/lego/v5/providers/dns/loopia"
	"github.com/go-acme/lego/v5/providers/dns/luadns"
	"github.com/go-acme/lego/v5/providers/dns/namecheap"
	"github.com/go-acme/lego/v5/providers/dns/netcup"
	"github.com/go-acme/lego/v5/providers/dns/njalla"
	"github.com/go-acme/lego/v5/providers/dns/ovh"
	"github.com/go-acme/lego/v5/providers/dns/porkbun"
	"github.com/go-acme/lego/v5/providers/dns/vultr"
)

// linked are the DNS providers in this program, by the names that lego gives them.
var linked = map[string]func() (challenge.Provider, error){
	"acme-dns":     maker(acmedns.NewDNSProvider),
	"bunny":        maker(bunny.NewDNSProvider),
	"cloudflare":   maker(cloudflare.NewDNSProvider),
	"cloudns":      maker(cloudns.NewDNSProvider),
	"digitalocean": maker(digitalocean.NewDNSProvider),
	"dnsupdate":    maker(dnsupdate.NewDNSProvider),
	"dreamhost":    maker(dreamhost.NewDNSProvider),
	"duckdns":      maker(duckdns.NewDNSProvider),
	"easydns":      maker(easydns.NewDNSProvider),
	"gandiv5":      maker(gandiv5.NewDNSProvider),
	"godaddy":      maker(godaddy.NewDNSProvider),
	"hetzner":      maker(hetzner.NewDNSProvider),
	"httpreq":      maker(httpreq.NewDNSProvider),
	"hurricane":    maker(hurricane.NewDNSProvider),
	"infomaniak":   maker(infomaniak.NewDNSProvider),
	"inwx":         maker(inwx.NewDNSProvider),
	"ionos":        maker(ionos.NewDNSProvider),
	"loopia":       maker(loopia.NewDNSProvider),
	"luadns":       maker(luadns.NewDNSProvider),
	"namecheap":    maker(namecheap.NewDNSProvider),
	"netcup":       maker(netcup.NewDNSProvider),
	"njalla":       maker(njalla.NewDNSProvider),
	"ovh":          maker(ovh.NewDNSProvider),
	"porkbun":      maker(porkbun.NewDNSProvider),
	"vultr":        maker(vultr.NewDNSProvider),
}

func maker[P challenge.Provider](f func() (P, error)) func() (challenge.Provider, error) {
	return func() (challenge.Provider, error) { return f() }
}

// aliases are other names of linked providers: those of lego 4, which Dokku's plugin has.
var aliases = map[string]string{"rfc2136": "dnsupdate"}

const execProvider = "exec"

// Providers returns the names of the linked DNS providers, sorted.
func Providers() []string {
	names := append(slices.Collect(maps.Keys(linked)), execProvider)
	return slices.Sorted(slices.Values(slices.AppendSeq(names, maps.Keys(aliases))))
}

// CheckProvider refuses a name of a DNS provider that is not linked where no program lego
// is installed. A Problem says which work.
func CheckProvider(name string) error {
	c := &Client{Config: Config{DNS: DNS{Provider: name}}}
	if !c.foreign() {
		return nil
	}
	_, err := c.program()
	return err
}

// RunsProgram reports whether a DNS provider is a program on this server.
func RunsProgram(provider string) bool {
	return provider == execProvider || (&Client{Config: Config{DNS: DNS{Provider: provider}}}).foreign()
}

// foreign reports whether the program lego must do the whole order, because its DNS
// provider is not linked.
func (c *Client) foreign() bool {
	return c.DNS.Provider != "" && !c.DNS.Persist && !slices.Contains(Providers(), c.DNS.Provider)
}

// variable is the name of a setting of a provider. Names that steer the process itself,
// as PATH and LD_PRELOAD, are none.
var variable = regexp.MustCompile(`^[A-Z][A-Z0-9]*_[A-Z0-9_]+$`)

// steering are beginnings of names that mean something to a program whatever it does.
var steering = []string{"LD_", "SSL_", "GIT_", "DOKKU_", "BASH_", "LEGO_"}

// checkEnv refuses settings that are no settings of a provider.
func (d DNS) checkEnv() error {
	for _, name := range slices.Sorted(maps.Keys(d.Env)) {
		value := d.Env[name]
		bad := slices.ContainsFunc(steering, func(s string) bool { return strings.HasPrefix(name, s) })
		if bad || !variable.MatchString(name) || strings.HasSuffix(name, "_PROXY") {
			return problemf(TypeSetup, "dns-provider-%s is no setting of a DNS provider: give the name as lego documents it, like dns-provider-CLOUDFLARE_DNS_API_TOKEN", name)
		}
		if strings.ContainsRune(value, 0) {
			return problemf(TypeSetup, "the value of dns-provider-%s has a null byte", name)
		}
	}
	return nil
}

// environment is held while the process has the environment of a provider.
var environment sync.Mutex

// provider makes the DNS provider. lego's read their settings from the environment of the
// process, so it has them for this moment.
func (c *Client) provider() (challenge.Provider, error) {
	name := c.DNS.Provider
	if to, ok := aliases[name]; ok {
		name = to
	}
	if err := c.DNS.checkEnv(); err != nil {
		return nil, err
	}
	environment.Lock()
	defer environment.Unlock()
	for name, value := range c.DNS.Env {
		old, had := os.LookupEnv(name)
		if err := os.Setenv(name, value); err != nil {
			return nil, problemf(TypeSetup, "dns-provider-%s: %v", name, err)
		}
		if had {
			defer os.Setenv(name, old)
		} else {
			defer os.Unsetenv(name)
		}
	}
	make := linked[name]
	if name == execProvider {
		make = func() (challenge.Provider, error) { return newScript(c.DNS.Env) }
	}
	provider, err := make()
	if err != nil {
		said := c.redact(asSettings(err.Error()))
		if !strings.Contains(said, settingPrefix) {
			said += ": set " + cmp.Or(asSettings(unnamed[name]), settingPrefix+"NAME for each NAME at https://go-acme.github.io/lego/dns/"+name)
		}
		return nil, problemf(TypeSetup, "the DNS provider %s lacks a setting: %s", c.DNS.Provider, said)
	}
	return provider, nil
}

// settingPrefix is that of the names that people give a provider's variables.
const settingPrefix = "dns-provider-"

// unnamed are the variables that a provider does not name when they are missing.
var unnamed = map[string]string{
	"gandiv5": "GANDIV5_PERSONAL_ACCESS_TOKEN",
	"ovh":     "OVH_ENDPOINT, OVH_APPLICATION_KEY, OVH_APPLICATION_SECRET and OVH_CONSUMER_KEY",
}

// mentioned finds the environment variables in lego's errors.
var mentioned = regexp.MustCompile(`\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b`)

// asSettings names the variables in a text as people set them.
func asSettings(s string) string {
	return mentioned.ReplaceAllStringFunc(s, func(name string) string { return settingPrefix + name })
}

// providerProblem is what a provider said.
func (c *Client) providerProblem(what string, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	return problemf(TypeDNSProvider, "DNS provider %s: %s: %s", c.DNS.Provider, what, c.redact(err.Error()))
}

// secret are the settings whose values appear nowhere. Some providers send them in URLs,
// and errors of HTTP quote these.
var secret = regexp.MustCompile(`KEY|TOKEN|SECRET|PASS|HMAC|AUTH|CREDENTIAL`)

// redact leaves secrets out of a text.
func (c *Client) redact(s string) string {
	for name, value := range c.DNS.Env {
		if !secret.MatchString(name) || len(value) < 4 {
			continue
		}
		for _, form := range []string{value, url.QueryEscape(value), url.PathEscape(value)} {
			s = strings.ReplaceAll(s, form, fmt.Sprintf("(%s)", name))
		}
	}
	return s
}

// program finds the installed lego.
func (c *Client) program() (string, error) {
	path, err := exec.LookPath("lego")
	if err != nil {
		return "", problemf(TypeSetup, "the DNS provider %q needs the program lego (version 5) in the PATH; without it these work: %s", c.DNS.Provider, strings.Join(Providers(), ", "))
	}
	return path, nil
}
