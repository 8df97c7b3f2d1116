package keys

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// SSHKeys runs ssh-keys:add, ssh-keys:list, ssh-keys:remove and ssh-keys:help;
// args begin with that word. A key comes from stdin unless a file is named. For
// backup there are ssh-keys:export, which prints the keys, a name and a public key a
// line, ssh-keys:check, which says whether it could import stdin, and ssh-keys:import,
// which adds those that are missing and prints which ones it did not.
func SSHKeys(_ context.Context, root string, args []string, stdin io.Reader, stdout io.Writer) error {
	switch command, args := args[0], args[1:]; {
	case command == "ssh-keys:add" && (len(args) == 1 || len(args) == 2):
		return addKey(root, args, stdin, stdout)
	case command == "ssh-keys:list" && len(args) <= 3:
		return listKeys(root, args, stdout)
	case command == "ssh-keys:remove" && len(args) == 1:
		return Remove(root, args[0])
	case command == "ssh-keys:remove" && len(args) == 2 && args[0] == "--fingerprint":
		return Remove(root, args[1])
	case command == "ssh-keys:export" && len(args) == 0:
		return exportKeys(root, stdout)
	case (command == "ssh-keys:import" || command == "ssh-keys:check") && len(args) == 0:
		return importKeys(root, command == "ssh-keys:check", stdin, stdout)
	case command == "ssh-keys" || command == "ssh-keys:help":
		_, err := io.WriteString(stdout, keysHelp)
		return err
	default:
		return fmt.Errorf("cannot run %s with %d arguments\n%s", command, len(args), keysHelp)
	}
}

const keysHelp = `Usage: dokku ssh-keys:COMMAND
    ssh-keys:add NAME [FILE]                   Let a public key push and run commands; without FILE it is read from stdin
    ssh-keys:list [--format json|text] [NAME]  List the keys that may
    ssh-keys:remove [--fingerprint] NAME       Take a key away
`

// maxKey is more than any public key needs, in bytes.
const maxKey = 64 << 10

func addKey(root string, args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) == 2 {
		f, err := os.Open(args[1])
		if err != nil {
			return fmt.Errorf("cannot read the key %s: %w", args[0], err)
		}
		defer f.Close()
		stdin = f
	}
	key, err := io.ReadAll(io.LimitReader(stdin, maxKey))
	if err != nil {
		return fmt.Errorf("cannot read the key %s: %w", args[0], err)
	}
	if err := Add(root, args[0], string(key)); err != nil {
		return err
	}
	keys, err := List(root)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.Name == args[0] {
			fmt.Fprintln(stdout, k.Fingerprint)
		}
	}
	return nil
}

func listKeys(root string, args []string, stdout io.Writer) error {
	format, name := "text", ""
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--format" && i+1 < len(args):
			i++
			format = args[i]
		case name == "":
			name = args[i]
		default:
			return fmt.Errorf("cannot list keys: %q is one word too many\n%s", args[i], keysHelp)
		}
	}
	all, err := List(root)
	if err != nil {
		return err
	}
	keys := []Key{}
	for _, k := range all {
		if name == "" || k.Name == name {
			keys = append(keys, k)
		}
	}
	if name != "" && len(keys) == 0 {
		return fmt.Errorf("cannot list the key %q: there is none of this name", name)
	}
	switch format {
	case "json":
		return printJSON(stdout, keys)
	case "text":
		for _, k := range keys {
			fmt.Fprintln(stdout, k)
		}
		return nil
	}
	return fmt.Errorf("cannot list keys as %q: the formats are text and json", format)
}

// printJSON uses the names that Dokku's own json has.
func printJSON(w io.Writer, keys []Key) error {
	type entry struct {
		Name        string `json:"name"`
		Fingerprint string `json:"fingerprint"`
		Options     string `json:"SSHCOMMAND_ALLOWED_KEYS"`
	}
	list := []entry{}
	for _, k := range keys {
		list = append(list, entry(k))
	}
	return json.NewEncoder(w).Encode(list)
}
