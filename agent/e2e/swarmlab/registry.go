package swarmlab

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/crypto/bcrypt"

	"dokku/agent/certs"
	"dokku/agent/e2e/lab"
	"dokku/agent/engine"
)

// Registry starts Debian's docker-registry on this machine until the test's end, and returns
// the login to it. All nodes trust it.
func (l *Lab) Registry() engine.RegistryAuth {
	l.T.Helper()
	free, err := net.Listen("tcp", l.Host+":0")
	lab.Must(l.T, err)
	address := free.Addr().String()
	free.Close()
	ca, err := certs.NewAuthority("registry of a test", time.Now())
	lab.Must(l.T, err)
	own, err := ca.Issue([]string{l.Host}, time.Now())
	lab.Must(l.T, err)
	dir := l.T.TempDir()
	write := func(path string, data []byte) {
		l.T.Helper()
		lab.Must(l.T, os.MkdirAll(filepath.Dir(path), 0o755))
		lab.Must(l.T, os.WriteFile(path, data, 0o600))
	}
	auth := engine.RegistryAuth{Server: address, User: lab.RegistryUser, Secret: "s3cret"}
	hash, err := bcrypt.GenerateFromPassword([]byte(auth.Secret), bcrypt.MinCost)
	lab.Must(l.T, err)
	write(dir+"/users", fmt.Appendf(nil, "%s:%s\n", auth.User, hash))
	write(dir+"/crt", own.Chain)
	write(dir+"/key", own.Key)
	write(dir+"/config.yml", fmt.Appendf(nil, "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %[1]s/data}}\n"+
		"auth: {htpasswd: {realm: test, path: %[1]s/users}}\nhttp: {addr: %[2]s, tls: {certificate: %[1]s/crt, key: %[1]s/key}}\n", dir, address))
	for _, n := range l.Nodes {
		write(filepath.Join(n.Certs, address, "ca.crt"), ca.Chain)
	}
	cmd := exec.Command("docker-registry", "serve", dir+"/config.yml")
	lab.Must(l.T, cmd.Start())
	l.T.Cleanup(func() { lab.EndProcess(cmd) })
	lab.WaitFor(l.T, "the registry answers", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return auth
}
