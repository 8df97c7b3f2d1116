package routing

import (
	"crypto/x509"
	"maps"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dokku/agent/app"
	"dokku/agent/certs/acme"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/letsencrypt"
)

// letsencryptProperties are the settings of orders. Dokku's plugin has most of them.
var letsencryptProperties = cli.Properties{
	Noun: "letsencrypt", Role: cli.Operator,
	List: []cli.Property{
		{Name: app.ACMEAuto, OnlyServer: true, Check: oneOf(app.ACMEAuto, "on", "off")},
		{Name: app.ACMEBundle, OnlyServer: true, Check: plain(app.ACMEBundle), Reads: checkBundle},
		{Name: app.ACMEChallenge, Check: oneOf(app.ACMEChallenge, "dns-persist-01")},
		{Name: app.ACMEProvider, Check: checkProvider, OnHost: runsHere},
		{Name: app.ACMEVariables, Prefix: true, Secret: true, OnHost: runsHere, Check: plain(app.ACMEVariables), Bounded: checkVariable},
		{Name: app.ACMEResolvers, Admin: true, Check: checkResolvers},
		{Name: app.ACMEHMAC, Secret: true, Check: plain(app.ACMEHMAC)},
		{Name: app.ACMEKeyID, Check: plain(app.ACMEKeyID)},
		{Name: app.ACMEEmail, Check: checkEmail},
		{Name: app.ACMEGrace, Check: checkGrace},
		{Name: app.ACMEProfile, Check: plain(app.ACMEProfile)},
		{Name: app.ACMEServer, Default: "default", Admin: true, Check: checkServer},
		{Name: "lego-args", Instead: "dokku orders by itself; letsencrypt:set has eab-kid, eab-hmac, profile, dns-provider and dns-resolvers"},
		{Name: "lego-docker-options", Instead: "no container orders certificates; letsencrypt:set has dns-provider and the variables of its provider"},
	},
	Get:    func(st *app.State, name string) string { return st.Letsencrypt[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.Letsencrypt, name, value) },
	App:    func(st *app.State) *map[string]string { return &st.Letsencrypt },
	Server: func(set *app.Settings) *map[string]string { return &set.Letsencrypt },
	Store:  storeLetsencrypt,
}

// storeLetsencrypt changes the server's settings, and says what the property auto means.
func storeLetsencrypt(c *cli.Call, change func(*app.Settings)) error {
	var before, after app.Settings
	err := c.Server.Env.Store.UpdateSettings(c.Ctx, func(set *app.Settings) error {
		before.Letsencrypt = maps.Clone(set.Letsencrypt)
		change(set)
		after = *set
		return nil
	})
	if err != nil || after.Letsencrypt[app.ACMEAuto] != "on" || before.Letsencrypt[app.ACMEAuto] == "on" {
		return err
	}
	log := c.Events()
	log.Detail("Every app with a public domain gets a certificate now, or after its first push. Orders agree to the terms of service of the CA")
	if after.RenewalOff() {
		log.Warn("The agent's orders are switched off: dokku letsencrypt:cron-job --add switches them on")
	}
	return nil
}

var letsencryptReport = cli.Reporter{
	Noun: "letsencrypt",
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		values := letsencryptProperties.Global(set)
		return values, err
	},
	Keys: cli.Sorted(slices.Concat(letsencryptProperties.Keys(), []string{
		"letsencrypt-active", "letsencrypt-autorenew", "letsencrypt-enabled", "letsencrypt-expiration", "letsencrypt-problem", "letsencrypt-renewal",
	})),
	Collect: func(c *cli.Call, a *app.App, _ string) (map[string]string, error) {
		v, err := c.View(a)
		if err != nil {
			return nil, err
		}
		orders, err := c.Server.Env.Store.Orders(a.Name)
		if err != nil {
			return nil, err
		}
		values := map[string]string{
			"letsencrypt-active":    strconv.FormatBool(len(a.State.Issued) > 0),
			"letsencrypt-autorenew": strconv.FormatBool(!v.Settings.RenewalOff()),
			"letsencrypt-enabled":   strconv.FormatBool(v.ACMEEnabled()),
			"letsencrypt-problem":   strings.Join(letsencrypt.Troubles(v, orders), "; "),
		}
		if len(a.State.Issued) > 0 {
			x := &a.State.Issued[0]
			values["letsencrypt-expiration"] = strconv.FormatInt(x.NotAfter.Unix(), 10)
			values["letsencrypt-renewal"] = strconv.FormatInt(v.Renewal(x, orders).Unix(), 10)
		}
		letsencryptProperties.Report(values, &a.State, v.Settings)
		values["letsencrypt-computed-dns-provider"] = v.DNSProvider()
		values["letsencrypt-computed-server"] = v.Directory()
		return values, nil
	},
}

// plain returns a check for a value of one line.
func plain(name string) func(string) error {
	return func(value string) error {
		if event.Printable(value) != value || len(value) > 4096 {
			return cli.Refuse("Invalid %s specified: it needs one line of printable characters", name)
		}
		return nil
	}
}

func checkEmail(value string) error {
	a, err := mail.ParseAddress(value)
	if err != nil || a.Address != value {
		return cli.Refuse("Invalid email specified: %q is no address such as admin@example.com", event.OneLine(value))
	}
	return nil
}

func checkGrace(value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || strings.HasPrefix(value, "+") {
		return cli.Refuse("Invalid graceperiod specified: %q is not a whole number of seconds", event.OneLine(value))
	}
	return nil
}

func checkServer(value string) error {
	u, err := url.Parse(app.DirectoryOf(value))
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return cli.Refuse("Invalid server specified: use default, staging, or the directory URL of a CA, such as https://ca.example.com/acme/directory")
	}
	return nil
}

// checkBundle refuses a file without certificates, or one that the agent cannot read.
func checkBundle(path string) error {
	if !filepath.IsAbs(path) {
		return cli.Refuse("Invalid ca-bundle specified: %q is no absolute path", event.OneLine(path))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return cli.Refuse("Invalid ca-bundle specified: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		return cli.Refuse("Invalid ca-bundle specified: %s has no certificate in PEM", event.OneLine(path))
	}
	return nil
}

// checkProvider refuses a DNS provider that is neither linked nor known to a lego program
// on this server. "none" is the app's word against the server's.
func checkProvider(value string) error {
	if value == "none" {
		return nil
	}
	if err := acme.CheckProvider(value); err != nil {
		return cli.Refuse("Invalid dns-provider specified: %w", err)
	}
	return nil
}

// runsHere reports whether a setting makes this server run a program, use a file, or send a
// secret somewhere. Only somebody on the server may choose that.
func runsHere(name, value string) bool {
	return name == app.ACMEProvider && acme.RunsProgram(value) && value != "none" ||
		strings.HasPrefix(name, app.ACMEVariables) && elsewhere.MatchString(name)
}

// checkVariable refuses an operator what would not stay with the app's own DNS provider.
func checkVariable(c *cli.Call, name, value string) error {
	if value == "" {
		return nil
	}
	v, err := c.View(c.App)
	if err != nil {
		return err
	}
	if err := acme.CheckVariable(v.DNSProvider(), strings.TrimPrefix(name, app.ACMEVariables), value); err != nil {
		return cli.Refuse("Invalid %s specified: %w", name, err)
	}
	return nil
}

// elsewhere are variables of DNS providers that name a file of this server's, or where the
// provider's secrets are sent to.
var elsewhere = regexp.MustCompile(`_(FILE|PATH|URL|ENDPOINT|BASE|HOST)$`)

func checkResolvers(value string) error {
	for r := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == ' ' }) {
		_, err := netip.ParseAddr(r)
		if _, perr := netip.ParseAddrPort(r); err != nil && perr != nil {
			return cli.Refuse("Invalid dns-resolvers specified: %q is no address such as 9.9.9.9 or 127.0.0.1:5353", event.OneLine(r))
		}
	}
	return nil
}
