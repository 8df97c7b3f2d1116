package acme

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// namespaces are the beginnings of the variables that linked providers read, as lego
// documents them.
var namespaces = map[string][]string{
	"acme-dns":     {"ACME_DNS_"},
	"bunny":        {"BUNNY_"},
	"cloudflare":   {"CLOUDFLARE_", "CF_"},
	"cloudns":      {"CLOUDNS_"},
	"digitalocean": {"DO_"},
	"dnsupdate":    {"DNSUPDATE_", "RFC2136_"},
	"dreamhost":    {"DREAMHOST_"},
	"duckdns":      {"DUCKDNS_"},
	"easydns":      {"EASYDNS_"},
	"gandiv5":      {"GANDIV5_"},
	"godaddy":      {"GODADDY_"},
	"hetzner":      {"HETZNER_"},
	"httpreq":      {"HTTPREQ_"},
	"hurricane":    {"HURRICANE_"},
	"infomaniak":   {"INFOMANIAK_"},
	"inwx":         {"INWX_"},
	"ionos":        {"IONOS_"},
	"loopia":       {"LOOPIA_"},
	"luadns":       {"LUADNS_"},
	"namecheap":    {"NAMECHEAP_"},
	"netcup":       {"NETCUP_"},
	"njalla":       {"NJALLA_"},
	"ovh":          {"OVH_"},
	"porkbun":      {"PORKBUN_"},
	"vultr":        {"VULTR_"},
}

// namespacesOf returns those of a provider; "": of all that are linked.
func namespacesOf(provider string) (list []string) {
	if to, ok := aliases[provider]; ok {
		provider = to
	}
	if provider != "" {
		return namespaces[provider]
	}
	for _, name := range slices.Sorted(maps.Keys(namespaces)) {
		list = append(list, namespaces[name]...)
	}
	return list
}

var (
	// asked are variables that say which server is asked.
	asked = regexp.MustCompile(`(SERVER|_PORT|_HOST|_URL|_BASE|ENDPOINT)$`)
	// waited are variables that say how long an order waits, in seconds.
	waited = regexp.MustCompile(`_(TIMEOUT|INTERVAL)$`)
)

// maxWait bounds, in seconds, how long an app's own settings let an order wait: the orders by
// DNS of all apps take turns. lego's own timeouts are shorter for all providers but one.
const maxWait = 600

// CheckVariable refuses a variable of an app's DNS provider that somebody sets who is no admin.
// provider is the one that the app's orders use, "" if there is none yet. What a program gets
// of an app is none of its settings: a name could have it, or the programs that it starts, run
// something else.
func CheckVariable(provider, name, value string) error {
	spaces := namespacesOf(provider)
	switch {
	case RunsProgram(provider):
		return fmt.Errorf("the DNS provider %s is a program of this server, and would get %s: ask an admin to set it", provider, name)
	case !slices.ContainsFunc(spaces, func(s string) bool { return strings.HasPrefix(name, s) }):
		if provider == "" {
			return fmt.Errorf("%s is no setting of a DNS provider: give the name as lego documents it, like CLOUDFLARE_DNS_API_TOKEN", name)
		}
		return fmt.Errorf("%s is no setting of the DNS provider %s: its settings begin with %s", name, provider, strings.Join(spaces, " or "))
	case asked.MatchString(name):
		return fmt.Errorf("%s says which server is asked from here: ask an admin to set it", name)
	case waited.MatchString(name):
		if n, err := strconv.Atoi(value); err != nil || n < 0 || n > maxWait {
			return fmt.Errorf("%s needs a number of seconds up to %d, since the orders of other apps wait meanwhile: ask an admin for more", name, maxWait)
		}
	}
	return nil
}
