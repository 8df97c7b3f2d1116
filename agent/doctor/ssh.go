package doctor

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"dokku/agent/keys"
	"dokku/agent/text"
)

func (d *examination) checkSSH(ctx context.Context) []Finding {
	const check = "sshd"
	var errs []error
	for _, at := range d.sshAddresses() {
		banner, err := greeting(ctx, at)
		if err == nil {
			return fine(check, "%s at %s", banner, at)
		}
		errs = append(errs, err)
	}
	return []Finding{wrong(check, HealthProblem, service("start", "ssh"), "nobody can push: %s", errors.Join(errs...))}
}

// greeting returns the version that an sshd sends first.
func greeting(ctx context.Context, at string) (string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
	if err != nil {
		return "", fmt.Errorf("no sshd listens at %s", at)
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		conn.SetDeadline(end)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if version, ok := strings.CutPrefix(strings.TrimSpace(line), "SSH-2.0-"); ok && err == nil {
		return strings.ToValidUTF8(version, ""), nil
	}
	return "", fmt.Errorf("the program that listens at %s is not sshd", at)
}

// sshAddresses returns the addresses where this host's sshd should answer. It reads
// the configuration, because only root can ask sshd itself (sshd -T).
func (d *examination) sshAddresses() []string {
	if d.set.SSHPort != 0 {
		return []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(d.set.SSHPort))}
	}
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(d.SSHConfig), "sshd_config.d", "*.conf"))
	var ports, hosts, list []string
	for _, file := range append(files, d.SSHConfig) {
		data, _ := os.ReadFile(file)
		p, h := parseSSHConfig(data)
		ports, hosts = append(ports, p...), append(hosts, h...)
	}
	if len(ports) == 0 {
		ports = []string{"22"}
	}
	if len(hosts) == 0 {
		hosts = []string{"127.0.0.1"}
	}
	for _, h := range hosts {
		if _, _, err := net.SplitHostPort(h); err == nil {
			list = append(list, h)
			continue
		}
		for _, p := range ports {
			list = append(list, net.JoinHostPort(strings.Trim(h, "[]"), p))
		}
	}
	return list
}

// parseSSHConfig returns the ports and addresses of a sshd_config(5). It stops at the
// first Match block, which cannot change them.
func parseSSHConfig(data []byte) (ports, hosts []string) {
	for line := range bytes.Lines(data) {
		words := strings.Fields(strings.Replace(string(line), "=", " ", 1))
		if len(words) < 2 {
			continue
		}
		switch value := strings.Trim(words[1], `"`); strings.ToLower(words[0]) {
		case "match":
			return ports, hosts
		case "port":
			ports = append(ports, value)
		case "listenaddress":
			switch host, port, err := net.SplitHostPort(value); {
			case value == "0.0.0.0" || value == "::" || value == "[::]":
				value = "127.0.0.1"
			case err == nil && (host == "0.0.0.0" || host == "::"):
				value = net.JoinHostPort("127.0.0.1", port)
			}
			hosts = append(hosts, value)
		}
	}
	return ports, hosts
}

// soon is how long before its end the doctor tells of a key.
const soon = 14 * 24 * time.Hour

// checkKeys checks authorized_keys. sshd ignores a file that others may write to, and
// a key without our command gets a shell with all rights of the user dokku.
func (d *examination) checkKeys(context.Context) []Finding {
	const check = "ssh keys"
	path := filepath.Join(d.Server.Env.Store.Root, ".ssh", "authorized_keys")
	list := d.modes(check, entry{filepath.Dir(path), 0o700, 0o022}, entry{path, 0o600, 0o022})
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return append(list, wrong(check, HealthProblem, "", "cannot read the keys: %s", err))
	}
	found, faults, err := keys.Inspect(data, d.Server.Env.Store.Root, d.Server.Binary)
	if err != nil {
		return append(list, wrong(check, HealthProblem, "", "%s", err))
	}
	for _, f := range faults {
		list = append(list, wrong(check, HealthWarning, "remove the line, then: dokku ssh-keys:add NAME < KEY.pub",
			"line %d of %s (%q) %s", f.Line, path, f.Comment, f.Text))
	}
	if found == 0 {
		list = append(list, wrong(check, HealthWarning, "dokku ssh-keys:add NAME < KEY.pub", "no key may push yet"))
	}
	all, err := keys.List(d.Server.Env.Store.Root)
	if err != nil {
		return append(list, wrong(check, HealthProblem, "", "%s", err))
	}
	admins := 0
	for _, k := range all {
		if k.Grant.Role == keys.Admin {
			admins++
		}
		if left := time.Until(k.Grant.Expires); !k.Grant.Expires.IsZero() && left > 0 && left < soon {
			list = append(list, wrong(check, HealthWarning, "dokku ssh-keys:set "+k.Name+" --expires 90d, or remove it",
				"the key %s expires at %s", k.Name, k.Grant.Expires.Format(time.RFC3339)))
		}
	}
	if list == nil {
		return fine(check, "%s may push, %d as admin, which amounts to root", text.Plural(found, "key"), admins)
	}
	return list
}
