package routing

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/certs"
	"dokku/agent/command/cli"
	"dokku/agent/event"
)

const certsLong = "CRT holds the certificate and its chain, KEY the private key, both in PEM. Without files, it reads a tar\n" +
	"of the two from standard input, also over ssh. With --global, the certificate serves the domains of all\n" +
	"apps that it covers and that have no certificate of their own, such as those below a wildcard."

var certCommands = []cli.Spec{
	{
		Use: "certs:add APP [CRT] [KEY]", Role: cli.Operator, Short: "Serve the app over TLS with a certificate",
		Long: certsLong, Example: "dokku certs:add hello server.crt server.key\ntar c server.crt server.key | ssh dokku@server certs:add hello",
		Flags: globalCertificate,
		Run:   func(c *cli.Call) error { return setCertificate(c, "certs:add", c.Flag("global"), false) },
	},
	{
		Use: "certs:generate APP [DOMAIN...]", Role: cli.Operator, Short: "Serve the app with a self-signed certificate, and print a signing request",
		Long: "No browser trusts a self-signed certificate. The signing request (CSR) on standard output is for a CA;\n" +
			"add what it answers with: certs:update APP CRT, which keeps the key. Without domains it is for the app's own.",
		Example: "dokku certs:generate hello www.example.com > hello.csr",
		Run:     generateCertificate,
	},
	{
		Use: "certs:remove APP", Role: cli.Operator, Short: "Remove the app's certificate",
		Flags: globalCertificate,
		Run:   func(c *cli.Call) error { return removeCertificate(c, "certs:remove", c.Flag("global")) },
	},
	certsReport.Spec("Show the app's certificate"),
	{
		Use: "certs:show APP crt|key", Role: cli.Operator, Short: "Print the app's certificate or its key",
		Words: func(*cli.Call) []string { return []string{"crt", "key"} },
		Flags: globalCertificate,
		Run:   func(c *cli.Call) error { return showCertificate(c, c.Flag("global")) },
	},
	{
		Use: "certs:update APP [CRT] [KEY]", Role: cli.Operator, Short: "Replace the app's certificate",
		Long:  certsLong + "\nWithout KEY, the present key stays.",
		Flags: globalCertificate,
		Run:   func(c *cli.Call) error { return setCertificate(c, "certs:update", c.Flag("global"), true) },
	},
}

func globalCertificate(f *pflag.FlagSet) {
	f.Bool("global", false, "the server's certificate, for all apps")
}

// present returns the certificate that a command line is about, and its owner's name; ""
// for the server.
func present(c *cli.Call, global bool) (name string, have *app.Certificate, err error) {
	if !global {
		if own := c.App.State.Own(); len(own) > 0 {
			have = own[0]
		}
		return c.App.Name, have, nil
	}
	set, err := c.Settings()
	return "", set.Certificate, err
}

// none is the error for an owner without a certificate.
func none(name string) error {
	if name == "" {
		return cli.Refuse("The server has no certificate: add one with dokku certs:add --global CRT KEY")
	}
	return cli.Refuse("App %s has no certificate of its own: add one with dokku certs:add %[1]s CRT KEY", name)
}

func setCertificate(c *cli.Call, op string, global, replaces bool) error {
	name, have, err := present(c, global)
	if err != nil {
		return err
	}
	if replaces && have == nil {
		return none(name)
	}
	chain, key, err := givenCertificate(c)
	if err != nil {
		return err
	}
	if key == nil && have == nil {
		return c.UsageError("give the certificate's key too")
	}
	if key == nil {
		p, err := c.Server.CertificateOf(name, have)
		if err != nil {
			return err
		}
		key = p.Key
	}
	p, notes, err := certs.Parse(chain, key, time.Now())
	if err != nil {
		return cli.Refuse("Cannot use this certificate: %w", err)
	}
	log := c.Events()
	for _, n := range notes {
		log.Detail("%s", strings.ToUpper(n[:1])+n[1:])
	}
	return storeCertificate(c, log, name, op, p)
}

// storeCertificate makes a certificate the app's or the server's, and says what it serves.
func storeCertificate(c *cli.Call, log event.Log, name, op string, p certs.Pair) error {
	until := p.Leaf.NotAfter.UTC().Format(time.DateOnly)
	if name == "" {
		if err := c.Server.SetGlobalCertificate(c.Ctx, op, log, &p); err != nil {
			return err
		}
		log.Step("Set the server's certificate for %s, valid until %s", strings.Join(certs.Names(p.Leaf), " "), until)
		return nil
	}
	log = log.WithApp(name)
	if err := c.Server.SetCertificate(c.Ctx, name, op, log, &p); err != nil {
		return err
	}
	log.Step("Set the certificate of %s for %s, valid until %s", name, strings.Join(certs.Names(p.Leaf), " "), until)
	v, err := c.Server.View(name)
	if err != nil {
		return err
	}
	warnNames(log, v, certs.Names(p.Leaf))
	for _, url := range c.Server.Env.URLsOf(v) {
		log.Detail("%s", url)
	}
	return nil
}

// warnNames names the domains that stay without TLS, and the names that lead nowhere.
func warnNames(log event.Log, v app.View, names []string) {
	for _, d := range v.Uncovered() {
		log.Warn("The certificate is not valid for %s, which stays without TLS", d)
	}
	domains := v.Domains()
	for _, n := range names {
		if !slices.ContainsFunc(domains, func(d string) bool { return certs.Covers([]string{n}, d) }) {
			log.Warn("%s is in the certificate and no domain of %s: dokku domains:add %[2]s %[1]s adds it", n, v.Name)
		}
	}
	if len(v.Certificates()) > 0 && !v.HasTLS() {
		log.Warn("No port of %s speaks TLS: dokku ports:add %[1]s https:443:%d adds one", v.Name, v.DetectedPort())
	}
}

// warnTLS names a port for TLS that serves nothing.
func warnTLS(log event.Log, v app.View) {
	for _, m := range v.Ports() {
		if m.Scheme == "https" && len(v.Certificates()) == 0 {
			log.Warn("%s serves nothing yet, since no certificate is valid for a domain of %s: dokku certs:add %[2]s CRT KEY adds one", m, v.Name)
		}
	}
}

// givenCertificate reads the files of a command line, or a tar from standard input. key is
// nil where none is given.
func givenCertificate(c *cli.Call) (chain, key []byte, err error) {
	switch {
	case len(c.Args) == 0 && c.Env.Console != nil:
		return nil, nil, c.UsageError("give the files of the certificate and the key, or a tar of them on standard input")
	case len(c.Args) == 0:
		return readTar(c.Env.Stdin)
	case c.Env.User != "":
		return nil, nil, cli.Refuse("Over ssh, files are on your machine: tar c %s | dokku certs:add APP", strings.Join(c.Args, " "))
	}
	var files [2][]byte
	for i, name := range c.Args {
		if !filepath.IsAbs(name) {
			name = filepath.Join(c.Env.Dir, name)
		}
		if files[i], err = readLimited(name); err != nil {
			return nil, nil, err
		}
	}
	return files[0], files[1], nil
}

func readLimited(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, cli.Refuse("Cannot read the certificate: %w", err)
	}
	defer f.Close()
	return limited(f, name)
}

func limited(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, certs.MaxSize+1))
	switch {
	case err != nil:
		return nil, cli.Refuse("Cannot read the certificate: %w", err)
	case len(data) > certs.MaxSize:
		return nil, cli.Refuse("Cannot read the certificate: %s has more than %d bytes", event.OneLine(name), certs.MaxSize)
	}
	return data, nil
}

// readTar reads a certificate (*.crt, *.pem) and perhaps a key (*.key) from a tar.
func readTar(r io.Reader) (chain, key []byte, err error) {
	const how = "tar c server.crt server.key | dokku certs:add APP"
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, cli.Refuse("Standard input is no tar of a certificate and a key (%w): %s", err, how)
		}
		if h.Linkname != "" {
			return nil, nil, cli.Refuse("The tar on standard input has a link, %s: links, such as those with absolute targets, are not followed; tar ch puts in the files", event.OneLine(h.Name))
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if strings.HasPrefix(filepath.Base(h.Name), "._") {
			continue // what macOS keeps beside each file
		}
		to := &chain
		switch ext := filepath.Ext(h.Name); ext {
		case ".key":
			to = &key
		case ".crt", ".cer", ".pem":
		default:
			continue
		}
		if *to != nil {
			return nil, nil, cli.Refuse("The tar on standard input has several %s files: leave only one", event.OneLine(filepath.Ext(h.Name)))
		}
		if *to, err = limited(t, h.Name); err != nil {
			return nil, nil, err
		}
	}
	if chain == nil {
		return nil, nil, cli.Refuse("The tar on standard input has no certificate (*.crt or *.pem): %s", how)
	}
	return chain, key, nil
}

func generateCertificate(c *cli.Call) error {
	v, err := c.View(c.App)
	if err != nil {
		return err
	}
	return selfSigned(c, "certs:generate", v.Name, v.Domains())
}

// selfSigned makes a certificate for the domains of the command line or, without any, for
// others, and prints the signing request. name is its owner; "" is the server.
func selfSigned(c *cli.Call, op, name string, domains []string) error {
	if len(c.Args) > 0 {
		domains = nil
		for _, arg := range c.Args {
			d, err := agent.ParseDomain(arg)
			if err != nil {
				return err
			}
			domains = append(domains, d)
		}
	}
	domains = slices.DeleteFunc(domains, func(d string) bool { return d == "_" })
	switch {
	case len(domains) == 0 && name == "":
		return cli.Refuse("The server has no domain to make a certificate for: name some, such as *.example.com, or set one with dokku domains:set-global DOMAIN")
	case len(domains) == 0:
		return cli.Refuse("App %s has no domain to make a certificate for: add one with dokku domains:add %[1]s DOMAIN", name)
	}
	p, err := certs.SelfSigned(domains, time.Now())
	if err != nil {
		return err
	}
	csr, err := p.Request()
	if err != nil {
		return err
	}
	log, done := c.Aside()
	defer done()
	if err := storeCertificate(c, log, name, op, p); err != nil {
		return err
	}
	c.Print("%s", csr)
	return nil
}

func removeCertificate(c *cli.Call, op string, global bool) error {
	name, have, err := present(c, global)
	if err != nil {
		return err
	}
	if have == nil {
		return none(name)
	}
	log := c.Events()
	if name == "" {
		if err := c.Server.SetGlobalCertificate(c.Ctx, op, log, nil); err != nil {
			return err
		}
		log.Step("Removed the server's certificate")
		return nil
	}
	if err := c.Server.SetCertificate(c.Ctx, name, op, log.WithApp(name), nil); err != nil {
		return err
	}
	log.Step("Removed the certificate of %s", name)
	return nil
}

func showCertificate(c *cli.Call, global bool) error {
	name, have, err := present(c, global)
	if err != nil {
		return err
	}
	if part := c.Args[0]; part != "crt" && part != "key" {
		return cli.Refuse("Invalid part %q: specify either 'key' or 'crt'", event.OneLine(part))
	}
	if have == nil {
		return none(name)
	}
	p, err := c.Server.CertificateOf(name, have)
	if err != nil {
		return err
	}
	if c.Args[0] == "key" {
		c.Print("%s", p.Key)
	} else {
		c.Print("%s", p.Chain)
	}
	return nil
}
