package registry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// Login is a user of a registry. Without a user, Secret is a token; without a secret,
// there is none.
type Login struct{ User, Secret string }

// Docker Hub has three names: that in names of images, that of its registry, and the
// key that `docker login` uses.
const (
	hub         = "docker.io"
	hubRegistry = "registry-1.docker.io"
	hubKey      = "https://index.docker.io/v1/"
)

// ConfigFile is the name of the file with the passwords in a folder of Docker's.
const ConfigFile = "config.json"

// config is the part of config.json that names credentials.
type config struct {
	Auths   map[string]entry  `json:"auths"`
	Store   string            `json:"credsStore"`
	Helpers map[string]string `json:"credHelpers"`
}

type entry struct {
	Auth          string `json:"auth,omitempty"` // base64 of "user:password"
	Username      string `json:"username,omitempty"`
	Password      string `json:"password,omitempty"`
	IdentityToken string `json:"identitytoken,omitempty"`
}

// Key returns the name of a registry in config.json. server is a host, perhaps with a
// port and https:// or http:// before it.
func Key(server string) (string, error) {
	host := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(server, "https://"), "http://"), "/")
	if slices.Contains([]string{hub, "index.docker.io", "index.docker.io/v1", "hub.docker.com", "docker.com", hubRegistry}, host) {
		return hubKey, nil
	}
	named, err := reference.ParseNamed(host + "/image")
	if err != nil || reference.Domain(named) != host {
		return "", fmt.Errorf("cannot use %q as a registry: give its host, perhaps with a port, such as registry.example.com:5000", server)
	}
	return host, nil
}

// ServerOf returns the registry of an image's name.
func ServerOf(image string) (string, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", fmt.Errorf("cannot use %q as an image: %w", image, err)
	}
	return reference.Domain(named), nil
}

// Find looks for a registry in the config.json of each folder. The first one that has a
// login for it counts. "" is $DOCKER_CONFIG, or .docker in the home folder.
func Find(ctx context.Context, folders []string, server string) (Login, error) {
	key, err := Key(server)
	if err != nil {
		return Login{}, nil // a name that no login can have
	}
	for _, dir := range folders {
		data, path, err := read(dir)
		if err != nil {
			return Login{}, err
		}
		if data == nil {
			continue
		}
		c, err := parse(data)
		if err != nil {
			return Login{}, fmt.Errorf("cannot read the registries' credentials in %s: %w", path, err)
		}
		if l, err := c.login(ctx, key); err != nil || l.Secret != "" {
			return l, err
		}
	}
	return Login{}, nil
}

// read returns the content of a folder's file; nil if there is none.
func read(dir string) (data []byte, path string, err error) {
	if dir == "" {
		dir = os.Getenv("DOCKER_CONFIG")
	}
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, "", nil
		}
		dir = filepath.Join(home, ".docker")
	}
	path = filepath.Join(dir, ConfigFile)
	data, err = os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, path, nil
	}
	if err != nil {
		return nil, path, fmt.Errorf("cannot read the registries' credentials: %w", err)
	}
	return data, path, nil
}

func parse(data []byte) (*config, error) {
	c := &config{}
	if len(bytes.TrimSpace(data)) == 0 {
		return c, nil
	}
	return c, json.Unmarshal(data, c)
}

// Stored returns the login for a registry that the content of a config.json itself has, which
// may be that of another machine: without a secret if a helper keeps it.
func Stored(data []byte, server string) (Login, error) {
	key, err := Key(server)
	if err != nil {
		return Login{}, err
	}
	c, err := parse(data)
	if err != nil || c.helper(key) != "" {
		return Login{}, err
	}
	return c.stored(key), nil
}

// helper returns the name of the helper that keeps a login; "": the file does.
func (c *config) helper(key string) string { return cmp.Or(c.Helpers[key], c.Store) }

func (c *config) login(ctx context.Context, key string) (Login, error) {
	if helper := c.helper(key); helper != "" {
		return askHelper(ctx, helper, key)
	}
	return c.stored(key), nil
}

func (c *config) stored(key string) Login {
	a, ok := c.Auths[key]
	if !ok {
		a = c.Auths["https://"+key]
	}
	if a.IdentityToken != "" {
		return Login{Secret: a.IdentityToken}
	}
	if b, err := base64.StdEncoding.DecodeString(a.Auth); err == nil && len(b) > 0 {
		a.Username, a.Password, _ = strings.Cut(strings.TrimRight(string(b), "\x00"), ":")
	}
	return Login{a.Username, a.Password}
}

// askHelper runs docker-credential-<helper>, whose protocol is one line in,
// JSON out.
func askHelper(ctx context.Context, helper, key string) (Login, error) {
	if strings.ContainsAny(helper, "/\\") {
		return Login{}, fmt.Errorf("cannot use the credential helper %q: it is a path, not a name", helper)
	}
	cmd := exec.CommandContext(ctx, "docker-credential-"+helper, "get")
	cmd.Stdin = strings.NewReader(key)
	out, err := cmd.Output()
	if bytes.Contains(out, []byte("credentials not found")) {
		return Login{}, nil
	}
	if err != nil {
		return Login{}, fmt.Errorf("cannot get credentials for %s from docker-credential-%s: %w", key, helper, err)
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal(out, &answer); err != nil {
		return Login{}, fmt.Errorf("cannot read the answer of docker-credential-%s: %w", helper, err)
	}
	if answer.Username == "<token>" {
		answer.Username = ""
	}
	return Login{answer.Username, answer.Secret}, nil
}
