package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"golang.org/x/crypto/bcrypt"
)

// A Registry is a registry of images on this machine.
type Registry struct {
	lab      *Lab
	Address  string // 127.0.0.1:PORT; engines speak http to a loopback address
	password string
	process  *exec.Cmd
}

// Stop ends the registry.
func (r *Registry) Stop() { EndProcess(r.process) }

// Has reports whether the registry has the manifest of a digest in a repository.
func (r *Registry) Has(repository, digest string) bool {
	r.lab.T.Helper()
	return r.Digest(repository, digest) == digest
}

// Digest returns the digest of a tag in a repository, or "" if the registry does not have it.
func (r *Registry) Digest(repository, tag string) string {
	r.lab.T.Helper()
	q, err := http.NewRequest(http.MethodHead, "http://"+r.Address+"/v2/"+repository+"/manifests/"+tag, nil)
	Must(r.lab.T, err)
	q.Header.Set("Accept", "application/vnd.docker.distribution.manifest.v2+json")
	q.SetBasicAuth(RegistryUser, r.password)
	answer, err := http.DefaultClient.Do(q)
	Must(r.lab.T, err)
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return ""
	}
	return answer.Header.Get("Docker-Content-Digest")
}

// RegistryUser is the user of a registry with a password.
const RegistryUser = "builder"

// Registry starts Debian's docker-registry until the test's end; "": without a password.
func (l *Lab) Registry(password string) *Registry {
	l.T.Helper()
	dir := l.T.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	Must(l.T, err)
	r := &Registry{lab: l, Address: free.Addr().String(), password: password}
	free.Close()
	config := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %s}\n", dir, r.Address)
	if password != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		Must(l.T, err)
		users := filepath.Join(dir, "users")
		Must(l.T, os.WriteFile(users, fmt.Appendf(nil, "%s:%s\n", RegistryUser, hash), 0o600))
		config += fmt.Sprintf("auth: {htpasswd: {realm: test, path: %s}}\n", users)
	}
	path := filepath.Join(dir, "config.yml")
	Must(l.T, os.WriteFile(path, []byte(config), 0o600))
	cmd := exec.Command("docker-registry", "serve", path)
	cmd.Stdout, cmd.Stderr = l.logFile("registry.log"), l.logFile("registry.log")
	Must(l.T, cmd.Start())
	r.process = cmd
	l.T.Cleanup(r.Stop)
	WaitFor(l.T, "the registry answers", func() bool {
		resp, err := http.Get("http://" + r.Address + "/v2/")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return true
	})
	return r
}

// Push puts an image into the registry and returns its name there.
func (r *Registry) Push(id, name string) string {
	r.lab.T.Helper()
	full := r.Address + "/" + name
	docker := r.lab.Tools.Docker
	Must(r.lab.T, docker.ImageTag(r.lab.T.Context(), id, full))
	auth, err := registry.EncodeAuthConfig(registry.AuthConfig{ServerAddress: r.Address, Username: RegistryUser, Password: r.password})
	Must(r.lab.T, err)
	answer, err := docker.ImagePush(r.lab.T.Context(), full, image.PushOptions{RegistryAuth: auth})
	Must(r.lab.T, err)
	defer answer.Close()
	text, err := io.ReadAll(answer)
	Must(r.lab.T, err)
	Lacks(r.lab.T, string(text), `"error"`)
	r.lab.forgetImage(full)
	return full
}

// ServerImage makes an image of the test's server, with a variable that makes it another
// image, and further instructions of a Dockerfile. It returns the image's id, and removes
// it at the test's end.
func (l *Lab) ServerImage(version string, instructions ...string) string {
	l.T.Helper()
	docker := l.Tools.Docker
	c, err := docker.ContainerCreate(l.T.Context(), &container.Config{Image: l.Tools.Base, Cmd: []string{"/server"}}, nil, nil, nil, "")
	Must(l.T, err)
	defer docker.ContainerRemove(context.Background(), c.ID, container.RemoveOptions{Force: true})
	made, err := docker.ContainerCommit(l.T.Context(), c.ID, container.CommitOptions{
		Changes: append([]string{"EXPOSE 5000", "CMD [\"/server\"]", "ENV VERSION=" + runID + version}, instructions...)})
	Must(l.T, err)
	l.T.Cleanup(func() { docker.ImageRemove(context.Background(), made.ID, image.RemoveOptions{Force: true}) })
	return made.ID
}

// forgetImage takes a name away from an image of the engine.
func (l *Lab) forgetImage(name string) {
	l.T.Helper()
	_, err := l.Tools.Docker.ImageRemove(l.T.Context(), name, image.RemoveOptions{})
	Must(l.T, err)
}

// NameImage gives an image of the engine a name until the test's end.
func (l *Lab) NameImage(id, name string) {
	l.T.Helper()
	Must(l.T, l.Tools.Docker.ImageTag(l.T.Context(), id, name))
	l.T.Cleanup(func() { l.Tools.Docker.ImageRemove(context.Background(), name, image.RemoveOptions{}) })
}

// HasImage reports whether the engine has an image of this name or id.
func (l *Lab) HasImage(name string) bool {
	_, err := l.Tools.Docker.ImageInspect(l.T.Context(), name)
	return err == nil
}

// SaveImage returns an archive of images of the engine, as docker save writes it.
func (l *Lab) SaveImage(names ...string) []byte {
	l.T.Helper()
	r, err := l.Tools.Docker.ImageSave(l.T.Context(), names)
	Must(l.T, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	Must(l.T, err)
	return data
}
