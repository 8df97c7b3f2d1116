package checks

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"dokku/scale"
)

func FuzzParseCHECKS(f *testing.F) {
	for _, s := range []string{"WAIT=5 # x\n/a b", "//h/p", "https://h:1/p x", "ATTEMPTS=101", "WAIT=1e9", "/%zz", "http://[::1", "\xff\xfe/", "/a#b\r\nTIMEOUT=", "//"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, _, err := parseWith(src, Defaults())
		if err != nil {
			if !strings.HasPrefix(err.Error(), fileName) {
				t.Errorf("error %q does not name the file", err)
			}
			return
		}
		if s := file.Settings; s.Budget() > s.MaxBudget || s.Budget() < 0 || s.Timeout <= 0 || s.Timeout > maxTime {
			t.Errorf("%+v", s)
		}
		for _, c := range file.Checks {
			u, err := url.Parse(c.URL)
			if err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "http") || c.Line < 1 || c.Attempts < 1 {
				t.Errorf("%+v, %v", c, err)
			}
		}
	})
}

func FuzzFromHealthchecks(f *testing.F) {
	for _, s := range []string{`{"path": "/"}`, `{"type": "startup", "uptime": 5}`, `{"type": "startup", "httpHeaders": [{"name": "Host", "value": "a b"}]}`,
		`{"type": "startup", "wait": 999999999, "attempts": 99}`, `{"type": "startup", "path": "/\u0000"}`, `{"initialDelay": -1}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, check string) {
		app, err := scale.ParseAppJSON([]byte(`{"healthchecks": {"web": [` + check + `]}}`))
		if err != nil {
			return
		}
		list, _, err := FromHealthchecks("web", app.Healthchecks["web"], time.Hour)
		if err != nil {
			return
		}
		for _, c := range list {
			if c.InitialDelay < 0 || c.Wait < 0 || c.Timeout <= 0 || c.Attempts < 1 || c.Uptime < 0 || c.InitialDelay+c.Wait*5 > 6*time.Hour {
				t.Errorf("%+v", c)
			}
			if u, err := url.Parse(c.URL); c.Kind == HTTP && (err != nil || u.Host == "") {
				t.Errorf("%q, %v", c.URL, err)
			}
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"5", "5s", "0.5", "-1", "1e9", "+1", "", "9999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseDuration(s); err == nil && d < 0 {
			t.Errorf("%q is %s", s, d)
		}
	})
}
