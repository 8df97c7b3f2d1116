package config

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"dokku/agent/command/cli"
	"dokku/agent/event"
)

var exportFormats = []string{"exports", "shell", "envfile", "json", "json-list", "docker-args", "docker-args-keys"}

func exportConfig(c *cli.Call) error {
	format := c.Value("format")
	if err := cli.OneOf("format", format, exportFormats...); err != nil {
		return err
	}
	config, err := configOf(c)
	if err != nil {
		return err
	}
	text, err := export(config, format)
	c.Print("%s", text)
	return err
}

// export formats variables so that a shell or a reader of env files gets each value
// back byte for byte.
func export(config map[string]string, format string) (string, error) {
	keys := slices.Sorted(maps.Keys(config))
	var lines []string
	switch format {
	case "json":
		if config == nil {
			config = map[string]string{}
		}
		data, err := json.Marshal(config)
		return string(event.PrintableJSON(data)) + "\n", err
	case "json-list":
		type variable struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		}
		list := []variable{} // never null
		for _, k := range keys {
			list = append(list, variable{k, config[k]})
		}
		data, err := json.Marshal(list)
		return string(event.PrintableJSON(data)) + "\n", err
	case "shell":
		for _, k := range keys {
			// As Dokku, with a space after each: scripts join what follows.
			lines = append(lines, k+"="+singleQuoted(config[k])+" ")
		}
		return strings.Join(lines, "") + "\n", nil
	case "docker-args":
		for _, k := range keys {
			lines = append(lines, "--env="+k+"="+singleQuoted(config[k]))
		}
		return strings.Join(lines, " ") + "\n", nil
	case "docker-args-keys":
		for _, k := range keys {
			lines = append(lines, "--env="+k)
		}
		return strings.Join(lines, " ") + "\n", nil
	case "envfile":
		for _, k := range keys {
			lines = append(lines, k+"="+doubleQuoted(config[k])+"\n")
		}
	default:
		for _, k := range keys {
			lines = append(lines, "export "+k+"="+singleQuoted(config[k])+"\n")
		}
	}
	return strings.Join(lines, ""), nil
}

// singleQuoted quotes for a POSIX shell, where only the quote itself is special within
// single quotes.
func singleQuoted(v string) string {
	return "'" + strings.ReplaceAll(v, "'", `'\''`) + "'"
}

// doubleQuoted quotes as readers of env files expect, each variable on one line.
func doubleQuoted(v string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`", "\n", `\n`, "\r", `\r`).Replace(v) + `"`
}
