package remote

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"dokku/agent/event"
)

// An Address is that of a repository on another server, as git takes it.
type Address struct {
	Text   string
	Shown  string // without a password
	Host   string // with a port, if the address has one
	Scheme string // https, http, ssh or git; user@host:path is ssh
}

// The schemes of addresses. file is none: it would read the repositories of other apps.
const (
	schemeHTTPS = "https"
	schemeHTTP  = "http"
	schemeSSH   = "ssh"
	schemeGit   = "git"
)

// protocols are what git may use, whatever an address or a redirect says.
const protocols = "https:http:ssh:git"

// scpLike is git's short form of an ssh address: user@host:path.
var scpLike = regexp.MustCompile(`^(?:([A-Za-z0-9._~-]+)@)?([A-Za-z0-9][A-Za-z0-9.-]*):([^:].*)$`)

// Parse checks the address of a repository. What it accepts begins with no dash and names
// no helper of git's (ext::...).
func Parse(address string) (Address, error) {
	refuse := func(why string) (Address, error) {
		return Address{}, fmt.Errorf("%s: give an address of https, http, ssh or git, or user@host:path", why)
	}
	if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return refuse("it has a space or a control character")
	}
	if !strings.Contains(address, "://") {
		if m := scpLike.FindStringSubmatch(address); m != nil && !strings.HasPrefix(m[1], "-") && !strings.HasPrefix(m[3], "-") {
			return Address{Text: address, Shown: address, Host: m[2], Scheme: schemeSSH}, nil
		}
		return refuse("it is not the address of a repository on another server")
	}
	u, err := url.Parse(address)
	if err != nil {
		return refuse("it is no address")
	}
	switch u.Scheme {
	case schemeHTTPS, schemeHTTP, schemeSSH, schemeGit:
	case "file":
		return refuse("file: names a folder of this server")
	default:
		return refuse(fmt.Sprintf("the protocol %q is not supported", event.OneLine(u.Scheme)))
	}
	if u.Hostname() == "" || strings.HasPrefix(u.Host, "-") || strings.HasPrefix(u.User.Username(), "-") {
		return refuse("it names no host")
	}
	return Address{Text: address, Shown: Hidden(address), Host: u.Host, Scheme: u.Scheme}, nil
}

// Hidden returns an address without its password, in one line.
func Hidden(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return event.OneLine(address)
	}
	if _, has := u.User.Password(); has || u.Scheme != schemeSSH {
		u.User = nil // a user of https may be a token
	}
	return event.OneLine(u.String())
}

// IsRelative reports whether the URL of a submodule is relative to that of its
// repository, as git-submodule(1) has it.
func IsRelative(address string) bool {
	return strings.HasPrefix(address, "./") || strings.HasPrefix(address, "../")
}

var errAbove = errors.New("it leads above the server's root: correct it, or give the whole address")

// Resolve returns a relative address in relation to base, by git's rule: base is a folder,
// and "../" removes its last name.
func Resolve(base, relative string) (string, error) {
	root, names := "", strings.TrimRight(base, "/")
	if i := strings.Index(base, "://"); i >= 0 {
		host, path, _ := strings.Cut(names[i+3:], "/")
		root, names = base[:i+3]+host+"/", path
	} else if host, path, ok := strings.Cut(names, ":"); ok {
		root, names = host+":", path
	}
	parts := strings.FieldsFunc(names, func(r rune) bool { return r == '/' })
	if strings.HasPrefix(names, "/") {
		root += "/"
	}
	for {
		if rest, ok := strings.CutPrefix(relative, "./"); ok {
			relative = rest
			continue
		}
		rest, ok := strings.CutPrefix(relative, "../")
		if !ok {
			return root + strings.Join(append(parts, relative), "/"), nil
		}
		if len(parts) == 0 {
			return "", errAbove
		}
		relative, parts = rest, parts[:len(parts)-1]
	}
}
