package move

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Report has the values that "NOUN:report" prints, by the names of Dokku's flags without
// the noun: "client-max-body-size".
type Report map[string]string

// Property returns whether a value is that of a setting, and not computed from others.
func (r Report) property(name string) bool {
	_, computed := r["computed-"+name]
	return computed && !strings.HasPrefix(name, "computed-") && !strings.HasPrefix(name, "global-")
}

// ParseReport reads a report of a noun, as JSON or as text. Lists of JSON are left out: their
// values are there as text too.
func ParseReport(noun, text string) (Report, error) {
	r := Report{}
	put := func(key, value string) { r[strings.TrimPrefix(key, noun+"-")] = value }
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		var all map[string]any
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			return nil, fmt.Errorf("cannot read the report of %s: %w", noun, err)
		}
		for key, value := range all {
			switch value := value.(type) {
			case string:
				put(key, value)
			case bool, float64:
				put(key, fmt.Sprint(value))
			}
		}
		return r, nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		label, value, ok := strings.Cut(line, ":")
		if !ok || strings.HasPrefix(line, "=====>") || strings.HasPrefix(line, "----->") || strings.HasPrefix(line, "!") {
			continue
		}
		put(strings.ReplaceAll(strings.ToLower(label), " ", "-"), strings.TrimSpace(value))
	}
	return r, nil
}

// lines returns the lines of a list without its heading.
func lines(text string) (list []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=====>") && !strings.HasPrefix(line, "----->") {
			list = append(list, line)
		}
	}
	return list
}

// Ports reads mappings SCHEME:HOST:CONTAINER of a report. Older versions name a mapping of a
// port that is not for HTTP without a scheme.
func ports(text string) (list, others []string) {
	for word := range strings.FieldsSeq(text) {
		if parts := strings.Split(word, ":"); len(parts) == 3 && (parts[0] == "http" || parts[0] == "https") {
			list = append(list, word)
		} else {
			others = append(others, word)
		}
	}
	return list, others
}

// words splits a line of options as a shell does: blanks outside of quotes separate, a
// backslash takes the next character as it is.
func words(text string) (list []string) {
	var word strings.Builder
	var quote rune
	in, escaped := false, false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			in, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			in, quote = true, r
		case r == ' ' || r == '\t':
			if in {
				list = append(list, word.String())
				word.Reset()
			}
			in = false
		default:
			in = true
			word.WriteRune(r)
		}
	}
	if in {
		list = append(list, word.String())
	}
	return list
}

// options splits the docker options of a report into single ones, each with its value:
// "--ulimit nofile=1", "--init".
func options(text string) (list [][]string) {
	for _, w := range words(text) {
		if strings.HasPrefix(w, "-") || len(list) == 0 {
			list = append(list, []string{w})
			continue
		}
		list[len(list)-1] = append(list[len(list)-1], w)
	}
	return list
}
