package checks

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"dokku/scale"
)

const appJSONName = "app.json"

// FromHealthchecks turns the healthchecks of one process type into checks:
// those that run at deploys, type startup. Defaults are those of
// docker-container-healthchecker (attempts 3, wait 5 s, timeout 5 s, also for a 0), not
// the settings of CHECKS. A check may be tried for at most budget. The error is a
// scale.Problems.
func FromHealthchecks(typ string, list []scale.Healthcheck, budget time.Duration) ([]Check, []Warning, error) {
	var checks []Check
	var warnings []Warning
	var bad scale.Problems
	for _, h := range list {
		problem := func(message string) scale.Problem {
			what := "healthchecks." + typ
			if h.Name != "" {
				what += " " + scale.Quote(h.Name)
			}
			return scale.Problem{File: appJSONName, Line: h.Line, Message: what + ": " + message}
		}
		switch h.Type {
		case "startup":
		case "readiness", "liveness":
			continue
		case "":
			warnings = append(warnings, problem(`type is missing: it is run at deploys, as "startup"`))
		default:
			warnings = append(warnings, problem(fmt.Sprintf("type is %s, so nothing runs it: deploys run the type startup", scale.Quote(h.Type))))
			continue
		}
		c, err := fromHealthcheck(typ, h, budget)
		if err != nil {
			bad = append(bad, problem(err.Error()))
			continue
		}
		if h.OnFailure.URL != "" {
			warnings = append(warnings, problem("onFailure.url is not called, since the server sends nothing for an app: let onFailure.command do it"))
		}
		c.OnFailure = h.OnFailure.Command
		checks = append(checks, c)
	}
	if n := len(checks); n > maxChecks {
		bad = append(bad, scale.Problem{File: appJSONName, Line: checks[0].Line, Message: "healthchecks." + typ + ": " + tooMany(n)})
	}
	if len(bad) > 0 {
		return nil, warnings, bad
	}
	return checks, warnings, nil
}

func fromHealthcheck(typ string, h scale.Healthcheck, budget time.Duration) (Check, error) {
	c := Check{Source: appJSONName, Line: h.Line, Name: h.Name, Port: h.Port, Warn: h.Warn}
	if err := timing(&c, h, budget); err != nil {
		return Check{}, err
	}
	var kinds []string
	for kind, given := range map[string]bool{"path": h.Path != "", "command": len(h.Command) > 0, "uptime": h.Uptime != 0, "listening": h.Listening} {
		if given {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	if len(kinds) > 1 {
		return Check{}, fmt.Errorf("%s exclude each other: make them separate checks", strings.Join(kinds, " and "))
	}
	if h.Port < 0 || h.Port > 65535 {
		return Check{}, fmt.Errorf("port is %d: write one from 1 to 65535", h.Port)
	}
	kind := "path"
	if len(kinds) == 1 {
		kind = kinds[0]
	}
	if typ != scale.Web && h.Port == 0 && (kind == "path" || kind == "listening") {
		return Check{}, fmt.Errorf("port is missing: only web has one by itself")
	}
	switch kind {
	case "command":
		c.Kind, c.Command = Command, h.Command
	case "listening":
		c.Kind = Listening
	case "uptime":
		c.Kind, c.Uptime = Uptime, time.Duration(h.Uptime)*time.Second
		if h.Uptime < 0 || c.Uptime > budget {
			return Check{}, fmt.Errorf("uptime is %d seconds: write at most %d, a deploy waits for it", h.Uptime, int(budget.Seconds()))
		}
	default:
		return c, request(&c, h)
	}
	return c, nil
}

// request fills in the request of an HTTP check.
func request(c *Check, h scale.Healthcheck) error {
	scheme, path := strings.ToLower(h.Scheme), h.Path
	if scheme == "" {
		scheme = "http"
	}
	if scheme != "http" && scheme != "https" {
		return fmt.Errorf("scheme is %s: write http or https", scale.Quote(h.Scheme))
	}
	if path == "" {
		path = "/"
	}
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("path is %s: it has to start with /", scale.Quote(h.Path))
	}
	c.Header = http.Header{}
	host, named := defaultHost, false
	for _, header := range h.HTTPHeaders {
		if !validHeader(header) {
			return fmt.Errorf("%s is not a valid header", scale.Quote(header.Name+": "+header.Value))
		}
		if strings.EqualFold(header.Name, "Host") {
			host, named = header.Value, true
			continue
		}
		c.Header.Add(header.Name, header.Value)
	}
	parsed, _, err := parseCheck(scheme + "://" + host + path)
	if err != nil || parsed.Content != "" {
		return fmt.Errorf("path is %s: it is not valid in a URL; escape its special characters", scale.Quote(h.Path))
	}
	c.URL, c.Content, c.anyHost = parsed.URL, h.Content, !named
	return nil
}

// validHeader is the grammar of RFC 9110, section 5: a token, and a value
// without control characters.
func validHeader(h scale.Header) bool {
	for _, r := range h.Name {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) {
			return false
		}
	}
	return h.Name != "" && !strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

func timing(c *Check, h scale.Healthcheck, budget time.Duration) error {
	value := func(p *int, otherwise int) int {
		if p == nil || *p == 0 {
			return otherwise
		}
		return *p
	}
	attempts, wait, timeout := value(h.Attempts, 3), value(h.Wait, 5), value(h.Timeout, 5)
	most := int(budget.Seconds())
	for _, v := range []struct {
		name       string
		value      int
		least, top int
	}{{"attempts", attempts, 1, maxAttempts}, {"wait", wait, 1, most}, {"timeout", timeout, 1, most}, {"initialDelay", h.InitialDelay, 0, most}} {
		if v.value < v.least || v.value > v.top {
			return fmt.Errorf("%s is %d: write a number from %d to %d", v.name, v.value, v.least, v.top)
		}
	}
	c.Attempts = attempts
	c.Wait = time.Duration(wait) * time.Second
	c.Timeout = time.Duration(timeout) * time.Second
	c.InitialDelay = time.Duration(h.InitialDelay) * time.Second
	if b := c.InitialDelay + c.Wait*time.Duration(c.Attempts); b > budget {
		return fmt.Errorf("initialDelay + wait x attempts is %s: lower them to %s at most", duration(b), duration(budget))
	}
	return nil
}
