package routing

import (
	"strconv"
	"strings"

	"dokku/agent/app"
	"dokku/agent/command/cli"
)

// globalCertCommands are those of Dokku's plugin global-cert: other names of the server's
// certificate (certs:add --global).
var globalCertCommands = []cli.Spec{
	{
		Use: "global-cert:generate [DOMAIN...]", Role: cli.Admin, Short: "Make a self-signed certificate the server's, and print a signing request",
		Long: "No browser trusts a self-signed certificate. Without domains it is for the global ones and all names below\n" +
			"them. Add what a CA answers with: dokku certs:update --global CRT, which keeps the key.",
		Example: "dokku global-cert:generate '*.example.com' > example.csr",
		Run:     generateGlobalCertificate,
	},
	{
		Use: "global-cert:remove", Role: cli.Admin, Short: "Remove the server's certificate",
		Run: func(c *cli.Call) error { return removeCertificate(c, "global-cert:remove", true) },
	},
	globalCertReport.Spec("Show the server's certificate, or how an app uses it"),
	{
		Use: "global-cert:set [CRT] [KEY]", Role: cli.Admin, Short: "Serve all apps that it covers over TLS with a certificate",
		Long:    strings.Replace(certsLong, "With --global, the", "The", 1),
		Example: "dokku global-cert:set wildcard.crt wildcard.key\ntar c server.crt server.key | ssh dokku@server global-cert:set",
		Run:     func(c *cli.Call) error { return setCertificate(c, "global-cert:set", true, false) },
	},
	{
		Use: "global-cert:show crt|key", Role: cli.Admin, Short: "Print the server's certificate or its key",
		Words: func(*cli.Call) []string { return []string{"crt", "key"} },
		Run:   func(c *cli.Call) error { return showCertificate(c, true) },
	},
}

var globalCertKeys = []string{"global-cert-dir", "global-cert-enabled", "global-cert-expires-at", "global-cert-hostnames", "global-cert-issuer",
	"global-cert-starts-at", "global-cert-subject", "global-cert-verified"}

var globalCertReport = cli.Reporter{
	Noun: "global-cert", Keys: globalCertKeys, ServerFirst: true,
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		if err != nil {
			return nil, err
		}
		return globalCertValues(c, set.Certificate)
	},
	Collect: func(c *cli.Call, a *app.App, _ string) (map[string]string, error) {
		v, err := c.View(a)
		if err != nil {
			return nil, err
		}
		var used *app.Certificate
		if v.HasTLS() {
			for _, served := range v.Certificates() {
				if served.Global {
					used = served.Certificate
				}
			}
		}
		return globalCertValues(c, used)
	},
}

// globalCertValues describes the server's certificate; nil: it is not there, or not used.
func globalCertValues(c *cli.Call, have *app.Certificate) (map[string]string, error) {
	values := map[string]string{}
	for _, key := range globalCertKeys {
		values[key] = ""
	}
	values["global-cert-enabled"] = strconv.FormatBool(have != nil)
	if have == nil {
		return values, nil
	}
	return values, describe(c, "global-cert-", values, "", have)
}

func generateGlobalCertificate(c *cli.Call) error {
	set, err := c.Settings()
	if err != nil {
		return err
	}
	var domains []string
	for _, d := range set.Domains {
		if domains = append(domains, d); !strings.HasPrefix(d, "*.") {
			domains = append(domains, "*."+d)
		}
	}
	return selfSigned(c, "global-cert:generate", "", domains)
}
