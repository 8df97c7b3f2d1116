package checks

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"dokku/scale"
)

const fileName = "CHECKS"

// File is a parsed CHECKS file. A release carries it. It knows no settings: Over merges
// it with those of the moment.
type File struct {
	Checks    []Check // in the order of the file; none: the default check applies
	overrides []override
}

// override is a setting of the file.
type override struct{ property, value string }

// Warning is about a line with another effect than it seems to have; its String is one
// line of text.
type Warning = scale.Problem

var settingLine = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$`)

// ParseCHECKS reads a CHECKS file by the rules of Dokku 0.3.26. Settings count for
// all checks, wherever they stand; the last of equal names wins. The error is a
// scale.Problems with every value that cannot be used. Lines that are neither a
// setting nor a check are warned about and ignored, as Dokku ignores them.
func ParseCHECKS(src []byte) (File, []Warning, error) {
	lines, err := scale.Lines(fileName, src)
	if err != nil {
		return File{}, nil, err
	}
	f := File{}
	var warnings []Warning
	var bad scale.Problems
	for _, l := range lines {
		if strings.HasPrefix(l.Text, "#") {
			continue
		}
		p := scale.Problem{File: fileName, Line: l.Number, Text: l.Text}
		if m := settingLine.FindStringSubmatch(l.Text); m != nil {
			if warning, err := f.set(m[1], m[2]); err != nil {
				p.Message = err.Error()
				bad = append(bad, p)
			} else if warning != "" {
				p.Message = warning
				warnings = append(warnings, p)
			}
			continue
		}
		check, warning, err := parseCheck(l.Text)
		check.Line = l.Number
		switch {
		case err != nil:
			p.Message = err.Error()
			bad = append(bad, p)
			continue
		case check.URL != "":
			f.Checks = append(f.Checks, check)
		}
		if warning != "" {
			p.Message = warning
			warnings = append(warnings, p)
		}
	}
	if n := len(f.Checks); n > maxChecks {
		bad = append(bad, scale.Problem{File: fileName, Message: tooMany(n)})
	}
	if len(bad) > 0 {
		return File{}, warnings, bad
	}
	return f, warnings, nil
}

// Over merges the file with resolved defaults. It returns the checks, each with its
// waiting times, and the settings, where the file's values win. The error is a
// scale.Problems: with these defaults, WAIT x ATTEMPTS exceeds the budget.
func (f File) Over(defaults Settings) ([]Check, Settings, error) {
	s := defaults
	s.Origin = maps.Clone(defaults.Origin)
	if s.Origin == nil {
		s.Origin = map[string]string{}
	}
	for _, o := range f.overrides {
		if err := s.assign(o.property, o.value); err != nil {
			return nil, s, err // ParseCHECKS has tried it
		}
		s.Origin[o.property] = fileName
	}
	if err := s.fits(); err != nil {
		return nil, s, scale.Problems{{File: fileName, Message: err.Error()}}
	}
	list := slices.Clone(f.Checks)
	for i := range list {
		list[i].Wait, list[i].Timeout, list[i].Attempts = s.Wait, s.Timeout, s.Attempts
	}
	return list, s, nil
}

func tooMany(n int) string {
	return fmt.Sprintf("there are %d checks, which all run at once for each process: keep at most %d", n, maxChecks)
}

// set takes a line NAME=VALUE.
func (f *File) set(name, value string) (warning string, err error) {
	value, _, _ = strings.Cut(value, "#")
	value = strings.TrimSpace(value)
	property := map[string]string{"WAIT": "wait", "TIMEOUT": "timeout", "ATTEMPTS": "attempts"}[strings.ToUpper(name)]
	switch {
	case property == "":
		return "this is not a setting of CHECKS: there are WAIT, TIMEOUT and ATTEMPTS", nil
	case name != strings.ToUpper(name):
		return fmt.Sprintf("settings are in capitals: did you mean %s=%s?", strings.ToUpper(name), value), nil
	case value == "":
		return "", fmt.Errorf("%s has no value: write %[1]s=5", name)
	}
	if value == "0" && property != "wait" {
		return "", nil // the default, as in Dokku
	}
	trial := Defaults()
	if err := trial.assign(property, value); err != nil {
		return "", fmt.Errorf("%s cannot be %s: %w", name, scale.Quote(value), err)
	}
	f.overrides = append(f.overrides, override{property, value})
	return "", nil
}

// parseCheck reads /path, //host/path or http(s)://host/path and the text that
// is expected. A line that is none of these gives a check without a URL.
func parseCheck(line string) (c Check, warning string, err error) {
	target, content, anyHost := line, "", false
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		target, content = line[:i], strings.TrimSpace(line[i:])
	}
	switch {
	case strings.HasPrefix(target, "//"):
		target = "http:" + target
	case strings.HasPrefix(target, "/"):
		target, anyHost = "http://"+defaultHost+target, true
	case strings.HasPrefix(target, "http://"), strings.HasPrefix(target, "https://"):
	default:
		return Check{}, "this is neither a setting nor a check, and is ignored: " +
			"a check starts with /path, //host/path or http://host/path", nil
	}
	u, err := url.Parse(target)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return Check{}, "", fmt.Errorf("%s is not a valid URL: write /path, //host/path or http://host/path", scale.Quote(target))
	}
	if u.Path == "" {
		target = u.Scheme + "://" + u.Host + "/" + strings.TrimPrefix(target, u.Scheme+"://"+u.Host)
	}
	if bare := strings.Trim(content, `"`); bare != "" && content == `"`+bare+`"` && !strings.Contains(bare, `"`) {
		warning = "the quotes are part of the expected text: leave them out if the page does not have them"
	}
	return Check{Kind: HTTP, Source: fileName, URL: target, anyHost: anyHost, Content: content}, warning, nil
}
