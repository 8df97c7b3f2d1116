package buildkit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"
)

// credentials answers the engine's question for a registry's password from
// Docker's own config.json, so that `docker login` is all that a private base
// image needs. buildkit's own provider would add the containerd resolver and
// the docker CLI's configuration to the binary; the engine falls back to this
// one call when the others are not implemented.
type credentials struct {
	auth.UnimplementedAuthServer
	dir string
}

// Register serves the credentials on a session.
func (c *credentials) Register(s *grpc.Server) { auth.RegisterAuthServer(s, c) }

// dockerHub is the host in the engine's question, and hubKey the key that `docker login`
// uses for it.
const (
	dockerHub = "registry-1.docker.io"
	hubKey    = "https://index.docker.io/v1/"
)

// dockerConfig is the part of config.json that names credentials.
type dockerConfig struct {
	Auths map[string]struct {
		Auth          string `json:"auth"` // base64 of "user:password"
		Username      string `json:"username"`
		Password      string `json:"password"`
		IdentityToken string `json:"identitytoken"`
	} `json:"auths"`
	Store   string            `json:"credsStore"`
	Helpers map[string]string `json:"credHelpers"`
}

// Credentials returns the user and the password for a registry, empty when
// there are none.
func (c *credentials) Credentials(ctx context.Context, r *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	none := &auth.CredentialsResponse{}
	config, err := readDockerConfig(c.dir)
	if err != nil || config == nil {
		return none, err
	}
	key := r.Host
	if key == dockerHub {
		key = hubKey
	}
	helper := config.Helpers[key]
	if helper == "" {
		helper = config.Store
	}
	if helper != "" {
		return askHelper(ctx, helper, key)
	}
	a, ok := config.Auths[key]
	if !ok {
		if a, ok = config.Auths["https://"+key]; !ok {
			return none, nil
		}
	}
	if a.IdentityToken != "" {
		return &auth.CredentialsResponse{Secret: a.IdentityToken}, nil
	}
	if b, err := base64.StdEncoding.DecodeString(a.Auth); err == nil && len(b) > 0 {
		a.Username, a.Password, _ = strings.Cut(strings.TrimRight(string(b), "\x00"), ":")
	}
	return &auth.CredentialsResponse{Username: a.Username, Secret: a.Password}, nil
}

func readDockerConfig(dir string) (*dockerConfig, error) {
	if dir == "" {
		dir = os.Getenv("DOCKER_CONFIG")
	}
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, nil
		}
		dir = filepath.Join(home, ".docker")
	}
	path := filepath.Join(dir, "config.json")
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the registries' credentials: %w", err)
	}
	c := &dockerConfig{}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("cannot read the registries' credentials in %s: %w", path, err)
	}
	return c, nil
}

// askHelper runs docker-credential-<helper>, whose protocol is one line in,
// JSON out.
func askHelper(ctx context.Context, helper, key string) (*auth.CredentialsResponse, error) {
	if strings.ContainsAny(helper, "/\\") {
		return nil, fmt.Errorf("cannot use the credential helper %q: it is a path, not a name", helper)
	}
	cmd := exec.CommandContext(ctx, "docker-credential-"+helper, "get")
	cmd.Stdin = strings.NewReader(key)
	out, err := cmd.Output()
	if bytes.Contains(out, []byte("credentials not found")) {
		return &auth.CredentialsResponse{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot get credentials for %s from docker-credential-%s: %w", key, helper, err)
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, fmt.Errorf("cannot read the answer of docker-credential-%s: %w", helper, err)
	}
	if answer.Username == "<token>" {
		answer.Username = ""
	}
	return &auth.CredentialsResponse{Username: answer.Username, Secret: answer.Secret}, nil
}
