package config

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/joho/godotenv"
	"github.com/spf13/pflag"

	"dokku/agent/command/cli"
	"dokku/agent/event"
)

// maxImport bounds what config:import reads, in bytes.
const maxImport = 4 << 20

var bundleCommands = []cli.Spec{
	{
		Use: "config:bundle APP", Role: cli.Values, Short: "Write a tar with a file for each variable",
		Long:    "The tar on standard output has the values. --merged adds the variables of all apps.",
		Example: "dokku config:bundle hello | tar x -C env",
		Flags:   readFlags, Run: bundle,
	},
	{
		Use: "config:import APP [FILE]", Role: cli.Operator, Short: "Set the variables of a file and restart the app",
		Long: "The file has lines KEY=VALUE, as config:export --format envfile writes them, or is JSON. Without FILE, or with -, it is\n" +
			"standard input. If the app does not start with the new values, nothing is set.",
		Example: "dokku config:import --replace hello < .env",
		Flags: func(f *pflag.FlagSet) {
			changeFlags(f)
			f.Bool("replace", false, "unset all other variables")
			f.Bool("no-echo", false, "print the names of the variables without their values")
			f.String("format", "envfile", "envfile or json")
		},
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("envfile", "json")},
		Run:    importConfig,
	},
}

func bundle(c *cli.Call) error {
	config, err := configOf(c)
	if err != nil {
		return err
	}
	w := tar.NewWriter(c.Env.Stdout)
	for _, key := range slices.Sorted(maps.Keys(config)) {
		h := &tar.Header{Name: key, Mode: 0o600, Size: int64(len(config[key])), ModTime: time.Unix(0, 0)}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.WriteString(w, config[key]); err != nil {
			return err
		}
	}
	return w.Close()
}

func importConfig(c *cli.Call) error {
	if err := cli.OneOf("format", c.Value("format"), "envfile", "json"); err != nil {
		return err
	}
	data, err := importedFile(c)
	if err != nil {
		return err
	}
	set, err := parseImport(data, c.Value("format"))
	if err != nil {
		return err
	}
	if len(set) == 0 {
		return cli.Refuse("No config vars to set")
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if err := errors.Join(cli.CheckKey(key), cli.CheckValue(key, set[key])); err != nil {
			return err
		}
	}
	var unset []string
	if c.Flag("replace") {
		have, err := configOf(c)
		if err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(have)) {
			if _, stays := set[key]; !stays {
				c.Events().Step("Unsetting %s", key)
				unset = append(unset, key)
			}
		}
	}
	return announceAndSet(c, set, unset)
}

// importedFile reads the file of the command line, or standard input.
func importedFile(c *cli.Call) ([]byte, error) {
	in, name := c.Env.Stdin, "-"
	if len(c.Args) > 0 {
		name = c.Args[0]
	}
	switch {
	case name != "-" && c.Env.User != "":
		return nil, cli.Refuse("%s would be a file of the server: over ssh, send yours on standard input: config:import APP < FILE", event.OneLine(name))
	case name != "-":
		f, err := os.Open(name)
		if err != nil {
			return nil, cli.Refuse("Cannot read the variables: %s", err)
		}
		defer f.Close()
		in = f
	case in == nil || cli.AtTerminal(in):
		return nil, cli.Refuse("Variables expected on stdin, or the name of a file: dokku config:import APP < FILE")
	}
	data, err := io.ReadAll(io.LimitReader(in, maxImport+1))
	if err == nil && len(data) > maxImport {
		err = fmt.Errorf("more than %d bytes", maxImport)
	}
	if err != nil {
		return nil, cli.Refuse("Cannot read the variables: %s", err)
	}
	return data, nil
}

// parseImport reads variables. No error has anything of a value, which may be a secret.
func parseImport(data []byte, format string) (map[string]string, error) {
	if format == "envfile" {
		if set, ok := parseExported(string(data)); ok {
			return set, nil
		}
		set, err := godotenv.UnmarshalBytes(data)
		if err != nil {
			return nil, cli.Refuse("Cannot read the variables: not lines KEY=VALUE, or a quote is not closed (is it JSON? --format json)")
		}
		return set, nil
	}
	var values map[string]any
	if err := json.Unmarshal(data, &values); err != nil {
		var at *json.SyntaxError
		if errors.As(err, &at) {
			return nil, cli.Refuse("Cannot read the variables: not JSON, at byte %d", at.Offset)
		}
		return nil, cli.Refuse("Cannot read the variables: not a JSON object of names and values")
	}
	set := map[string]string{}
	for key, value := range values {
		text, ok := value.(string)
		if !ok {
			return nil, cli.Refuse("Cannot read the variables: the value of %s is no string: write it in quotes", event.OneLine(key))
		}
		set[key] = text
	}
	return set, nil
}

// exportedLine is a line of an env file as [export] writes it: all that could mean anything has a
// backslash.
var exportedLine = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\$]|\\.)*)"$`)

// parseExported reads what config:export wrote. godotenv takes a quote after a backslash for a part of the
// value, even if that backslash is the second of two.
func parseExported(text string) (set map[string]string, ok bool) {
	set = map[string]string{}
	for line := range strings.Lines(text) {
		m := exportedLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			return nil, false
		}
		var value strings.Builder
		for rest := m[2]; rest != ""; {
			before, after, found := strings.Cut(rest, `\`)
			value.WriteString(before)
			if !found {
				break
			}
			switch after[0] {
			case 'n':
				value.WriteByte('\n')
			case 'r':
				value.WriteByte('\r')
			default:
				value.WriteByte(after[0])
			}
			rest = after[1:]
		}
		set[m[1]] = value.String()
	}
	return set, len(set) > 0
}
