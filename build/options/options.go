package options

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// Phase is one of docker-options: what its options are for.
type Phase string

const (
	Build  Phase = "build"  // of `docker build`
	Deploy Phase = "deploy" // of the containers of the app's processes, as `docker run` has them
	Run    Phase = "run"    // of those of one-off commands and cron tasks
)

// Option is one option of a phase with a valid value.
type Option struct {
	Name  string // with its dashes
	Value string // "" if the option takes none
	// Joined: it was written as NAME=VALUE, and is stored so.
	Joined bool
}

// equal reports whether two options are the same but for the form in which they were written.
func (o Option) equal(p Option) bool { return o.Name == p.Name && o.Value == p.Value }

// String returns the option as it is stored and as a shell reads it: "--label a='b c'".
func (o Option) String() string {
	if o.Value == "" {
		return o.Name
	}
	if o.Joined {
		return o.Name + "=" + quoted(o.Value)
	}
	return o.Name + " " + quoted(o.Value)
}

// special are the characters that have a meaning for a shell.
const special = " \t\"'$`\\*?[]<>|&;(){}!#~"

// quoted returns a word as a shell reads it. Like Dokku, it leaves alone what needs no
// quotes.
func quoted(word string) string {
	if !strings.ContainsAny(word, special) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Same reports whether two options set the same thing, so that only one of them can hold.
func (o Option) Same(p Option) bool {
	return long(o.Name) == long(p.Name) && o.subject() == p.subject()
}

// long returns the long name of an option.
func long(name string) string {
	switch name {
	case "-l":
		return "--label"
	case "-m":
		return "--memory"
	case "-u":
		return "--user"
	case "-v":
		return "--volume"
	}
	return name
}

// subject is what an option of a repeatable name sets.
func (o Option) subject() string {
	k, ok := kinds[o.Name]
	if !ok {
		k = processKinds[o.Name]
	}
	if k.subject == nil {
		return ""
	}
	return k.subject(o.Value)
}

// Parse reads options from the words of a command line: "--build-arg", "A=1",
// "--target=web", or several in one word, "--build-arg A=1 --no-cache", which is split as
// a shell does, without any expansion.
func (p Phase) Parse(args []string) ([]Option, error) {
	words, err := split(args)
	if err != nil {
		return nil, err
	}
	var list []Option
	for len(words) > 0 {
		o, used, err := p.first(words)
		if err != nil {
			return nil, err
		}
		for _, have := range list {
			if have.Same(o) && !have.equal(o) {
				return nil, fmt.Errorf("%s and %s set the same: keep one of them", have, o)
			}
		}
		if !slices.ContainsFunc(list, o.equal) {
			list = append(list, o)
		}
		words = words[used:]
	}
	return list, nil
}

// first reads the first option, and how many words it takes.
func (p Phase) first(words []string) (o Option, used int, err error) {
	name, value, joined := strings.Cut(words[0], "=")
	if !strings.HasPrefix(name, "-") {
		return o, 0, fmt.Errorf("%q is not an option: an option begins with --, such as %s", shown(words[0]), p.example())
	}
	k, ok := p.kinds()[name]
	switch {
	case !ok:
		return o, 0, p.refusal(name)
	case p == Run && name == "--restart":
		return o, 0, fmt.Errorf("%s is not supported for the phase run: a command that runs once is not started again", name)
	case k.check == nil && joined:
		return o, 0, fmt.Errorf("%s takes no value, but has %q", name, shown(value))
	case k.check == nil:
		return Option{Name: name}, 1, nil
	case !joined && len(words) == 1:
		return o, 0, fmt.Errorf("%s needs a value: %s %s", name, name, k.form)
	case !joined:
		value = words[1]
	}
	why := k.check(value)
	if strings.ContainsFunc(value, unicode.IsControl) || !utf8.ValidString(value) {
		why = "it has a control character"
	}
	if why != "" {
		return o, 0, fmt.Errorf("%s %q: %s, such as %s %s", name, shown(value), why, name, k.form)
	}
	if joined {
		return Option{name, value, true}, 1, nil
	}
	return Option{name, value, false}, 2, nil
}

// kinds are the options that have an effect in the phase.
func (p Phase) kinds() map[string]kind {
	if p == Build {
		return kinds
	}
	return processKinds
}

func (p Phase) example() string {
	if p == Build {
		return "--build-arg NAME=VALUE"
	}
	return "--ulimit nofile=1024:2048"
}

// shown cuts a text for a message.
func shown(text string) string {
	if r := []rune(text); len(r) > 80 {
		return string(r[:80]) + "..."
	}
	return text
}

// split splits the words that begin like an option and have white space. Others are taken
// as they are: a caller's shell, or the splitting of a line from ssh, has seen the quotes.
func split(args []string) ([]string, error) {
	var words []string
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") || !strings.ContainsAny(arg, " \t\r\n") {
			words = append(words, arg)
			continue
		}
		more, err := shellWords(arg)
		if err != nil {
			return nil, fmt.Errorf("cannot split %q into words: %w; quote what is special to a shell", shown(arg), err)
		}
		words = append(words, more...)
	}
	return words, nil
}

// shellWords splits a line as a shell does. Nothing is expanded: $NAME stays as it is.
func shellWords(line string) (words []string, err error) {
	for w, err := range syntax.NewParser().WordsSeq(strings.NewReader(line)) {
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		for _, part := range w.Parts {
			literal(&b, line, part, false)
		}
		words = append(words, b.String())
	}
	return words, nil
}

// literal writes a part of a word without its quotes. What a shell would expand is
// written as it stands in the line.
func literal(b *strings.Builder, line string, part syntax.WordPart, quoted bool) {
	switch p := part.(type) {
	case *syntax.Lit:
		b.WriteString(unescaped(p.Value, quoted))
	case *syntax.SglQuoted:
		b.WriteString(p.Value)
	case *syntax.DblQuoted:
		for _, inner := range p.Parts {
			literal(b, line, inner, true)
		}
	default:
		b.WriteString(line[part.Pos().Offset():part.End().Offset()])
	}
}

// unescaped removes the backslashes that a shell removes: within double quotes only those
// before $, `, ", \ and a line end.
func unescaped(text string, quoted bool) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) && (!quoted || strings.IndexByte("$`\"\\\n", text[i+1]) >= 0) {
			i++
			if text[i] == '\n' {
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// Add returns the stored lines with more options, sorted. An option that contradicts a
// stored one is an error.
func (p Phase) Add(lines []string, more []Option) ([]string, error) {
	have, err := p.Read(lines)
	if err != nil {
		return nil, err
	}
	for _, o := range more {
		for _, h := range have {
			if h.Same(o) && !h.equal(o) {
				return nil, fmt.Errorf("%s is set already, as %s: remove that first", strings.TrimSpace(o.Name+" "+o.subject()), h)
			}
		}
		if !slices.ContainsFunc(have, o.equal) {
			have = append(have, o)
		}
	}
	return stored(have), nil
}

// Remove returns the stored lines without some options, and the options that they do not
// have.
func Remove(lines []string, less []Option) (rest []string, missing []Option) {
	rest = slices.Clone(lines)
	for _, o := range less {
		other := o
		other.Joined = !o.Joined
		i := slices.IndexFunc(rest, func(line string) bool { return line == o.String() || line == other.String() })
		if i < 0 {
			missing = append(missing, o)
			continue
		}
		rest = slices.Delete(rest, i, i+1)
	}
	return rest, missing
}

// Read parses stored lines.
func (p Phase) Read(lines []string) ([]Option, error) {
	var list []Option
	for _, line := range lines {
		one, err := p.Parse([]string{line})
		if err != nil {
			return nil, fmt.Errorf("the option %q of the %s is invalid: %w", shown(line), p.title(), err)
		}
		list = append(list, one...)
	}
	return list, nil
}

func (p Phase) title() string {
	if p == Build {
		return "build"
	}
	return "phase " + string(p)
}

// stored returns the options as lines, sorted as in Dokku.
func stored(list []Option) []string {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Option) int { return cmp.Compare(a.String(), b.String()) })
	var lines []string
	for _, o := range list {
		lines = append(lines, o.String())
	}
	return lines
}
