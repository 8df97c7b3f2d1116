package acme

import (
	"maps"
	"slices"
	"testing"
)

// An operator set variables which the server's DNS program, or a program that it started, took for its own: OPENSSL_CONF
// names code that is loaded. Others had this server ask addresses that only it reaches, or let one app's order wait for days
// while those of all others waited behind it.
func TestVariablesOfOperators(t *testing.T) {
	for _, name := range []string{"OPENSSL_CONF", "OPENSSL_MODULES", "CURL_HOME", "NODE_OPTIONS", "LD_PRELOAD", "PATH", "HOME", "GODEBUG", "HTTPS_PROXY", "PYTHONPATH", "exec_path"} {
		for _, provider := range []string{"", "cloudflare", "exec", "route53"} {
			if CheckVariable(provider, name, "x") == nil {
				t.Errorf("%s of %q is accepted", name, provider)
			}
		}
	}
	for _, test := range [][4]string{
		{"cloudflare", "CLOUDFLARE_DNS_API_TOKEN", "x", ""},
		{"cloudflare", "CF_API_EMAIL", "x", ""},
		{"", "HETZNER_API_TOKEN", "x", ""},
		{"rfc2136", "RFC2136_TSIG_SECRET", "x", ""},
		{"netcup", "NETCUP_PROPAGATION_TIMEOUT", "600", ""},
		{"", "FOO_TOKEN", "x", "FOO_TOKEN is no setting of a DNS provider: give the name as lego documents it, like CLOUDFLARE_DNS_API_TOKEN"},
		{"cloudflare", "HETZNER_API_TOKEN", "x", "HETZNER_API_TOKEN is no setting of the DNS provider cloudflare: its settings begin with CLOUDFLARE_ or CF_"},
		{"exec", "CLOUDFLARE_DNS_API_TOKEN", "x", "the DNS provider exec is a program of this server, and would get CLOUDFLARE_DNS_API_TOKEN: ask an admin to set it"},
		{"route53", "AWS_SECRET_ACCESS_KEY", "x", "the DNS provider route53 is a program of this server, and would get AWS_SECRET_ACCESS_KEY: ask an admin to set it"},
		{"rfc2136", "RFC2136_NAMESERVER", "127.0.0.1:6379", "RFC2136_NAMESERVER says which server is asked from here: ask an admin to set it"},
		{"httpreq", "HTTPREQ_ENDPOINT", "http://127.0.0.1", "HTTPREQ_ENDPOINT says which server is asked from here: ask an admin to set it"},
		{"netcup", "NETCUP_PROPAGATION_TIMEOUT", "601", "NETCUP_PROPAGATION_TIMEOUT needs a number of seconds up to 600, since the orders of other apps wait meanwhile: ask an admin for more"},
		{"hurricane", "HURRICANE_SEQUENCE_INTERVAL", "1h", "HURRICANE_SEQUENCE_INTERVAL needs a number of seconds up to 600, since the orders of other apps wait meanwhile: ask an admin for more"},
	} {
		got := ""
		if err := CheckVariable(test[0], test[1], test[2]); err != nil {
			got = err.Error()
		}
		if got != test[3] {
			t.Errorf("%v\n got %s\nwant %s", test[:3], got, test[3])
		}
	}
	if a, b := slices.Sorted(maps.Keys(namespaces)), slices.Sorted(maps.Keys(linked)); !slices.Equal(a, b) {
		t.Errorf("the variables of %v are known, and %v are linked", a, b)
	}
}
