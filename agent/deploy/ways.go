package deploy

import (
	"cmp"
	"fmt"
	"slices"

	"dokku/agent/app"
	"dokku/scale"
)

// ways prints how web would be reached: its ports, domains and certificates.
func (f *foresight) ways() {
	x, v := f.session, f.session.View()
	detected, how := f.port()
	x.Log.Step("Ports")
	if v.State.ProxyDisabled {
		x.Log.Detail("The proxy is disabled: web listens on %d, at a port of the server", v.State.WebPort(detected))
		return
	}
	list := v.State.Ports
	if len(list) == 0 {
		r := v.Current
		if len(f.report.Exposed) > 0 {
			r = &app.Release{Detected: detected, Exposes: true}
		}
		list = v.DefaultPortsOf(r)
	}
	for _, m := range list {
		from := "ports:set"
		if m.Container == 0 {
			m.Container, from = detected, how
		}
		x.Log.Detail("%s (%s)", m, from)
	}
	x.Log.Step("Domains")
	switch {
	case v.State.DomainsDisabled:
		x.Log.Detail("The domains are disabled")
	case len(v.Domains()) == 0:
		x.Log.Detail("The app has no domain: to give it one: dokku domains:add %s DOMAIN", v.Name)
	}
	for _, d := range v.Domains() {
		x.Log.Detail("%s: %s", d, certificateOf(v, d))
	}
}

// port is the port on which web would listen unless ports:set names one, and what says so.
func (f *foresight) port() (port int, from string) {
	c := f.session.Current
	switch {
	case len(f.report.Exposed) > 0:
		return f.report.Exposed[0], "EXPOSE in " + cmp.Or(f.report.Choice.Reason, "the files")
	case c != nil:
		return c.DetectedPort(), "as now, unless the image exposes another one"
	}
	return app.DefaultPort, "unless the image exposes another one, or web listens on one"
}

// certificateOf says by which certificate a domain of the app is served.
func certificateOf(v app.View, domain string) string {
	for _, c := range v.Certificates() {
		if !slices.Contains(c.Domains, domain) {
			continue
		}
		whose := "its certificate"
		if c.Global {
			whose = "the server's certificate"
		}
		return fmt.Sprintf("%s, valid until %s", whose, c.NotAfter.UTC().Format("2006-01-02"))
	}
	if names, _ := v.ACMENames(); slices.Contains(names, domain) && !v.Settings.RenewalOff() {
		return "a certificate is ordered after the deploy"
	}
	return "no certificate"
}

// becomes says what a deploy does with a variable of app.json. set has the values that it
// would set, lacking the names of those that are required and have none.
func becomes(v scale.EnvVar, set, present map[string]string, lacking []string) string {
	_, sets := set[v.Name]
	switch {
	case slices.Contains(lacking, v.Name):
		return "is required and has no value"
	case sets && v.Secret:
		return "is generated"
	case sets:
		return "is set to the value in app.json"
	case present[v.Name] != "":
		return "is set"
	}
	return "stays unset"
}
