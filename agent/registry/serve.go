package registry

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"dokku/agent/certs"
	"dokku/agent/disk"
	"dokku/agent/store"
)

// User is the registry's one user.
const User = "dokku"

// DefaultPort is the registry's TCP port. 5000 is that of the distribution's own service,
// which has neither TLS nor a password.
const DefaultPort = 5443

// Program is the distribution's registry.
const Program = "docker-registry"

// Served is the registry of this server.
type Served struct {
	Address  string `json:"address"` // by which other servers reach it
	Port     int    `json:"port"`
	Password string `json:"password"`
	// Authority is the certificate that clients have to trust, in PEM.
	Authority []byte `json:"-"`
}

// Server is the name of the registry in names of images: "10.0.0.1:5443".
func (s Served) Server() string { return net.JoinHostPort(s.Address, strconv.Itoa(s.Port)) }

// TrustLine is what root of another server runs so that its engine trusts the registry.
func (s Served) TrustLine() string {
	dir := "/etc/docker/certs.d/" + s.Server()
	return fmt.Sprintf("mkdir -p %s && echo %s | base64 -d > %[1]s/ca.crt", dir, base64.StdEncoding.EncodeToString(s.Authority))
}

// dir is the folder of the registry's files.
func dir(s *store.Store, elem ...string) string {
	return s.Own(append([]string{"registry"}, elem...)...)
}

const (
	configFile = "config.yml"
	imagesDir  = "images"
)

// Read returns the registry that this server has; fs.ErrNotExist if it has none.
func Read(s *store.Store) (v Served, err error) {
	data, err := os.ReadFile(s.ServedRegistry())
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err == nil {
		v.Authority, err = os.ReadFile(dir(s, "ca.crt"))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("cannot read the registry's settings: %w", err)
	}
	return v, err
}

// Prepare makes the files of the registry, or those that are missing. An address or a port
// that is empty stays, or is the default. changed reports whether a running registry has to
// be restarted. Root calls it with the owner's rights for files ([proc.AsOwner]).
func Prepare(s *store.Store, address string, port int, now time.Time) (v Served, changed bool, err error) {
	v, err = Read(s)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return v, false, err
	}
	before := v
	if v.Address = cmp.Or(address, v.Address); v.Address == "" {
		return v, false, errors.New("no address is given by which other servers reach this one: dokku registry:serve --address ADDRESS")
	}
	if strings.ContainsAny(v.Address, "/ \"'\\\n:") && net.ParseIP(v.Address) == nil {
		return v, false, fmt.Errorf("invalid address %q: give an IP address or a host name", v.Address)
	}
	v.Port, v.Password = cmp.Or(port, v.Port, DefaultPort), cmp.Or(v.Password, rand.Text())
	f := files{disk: s.Disk, dir: dir(s)}
	f.folder(f.dir)
	f.folder(filepath.Join(f.dir, imagesDir))
	if err := f.certificates(&v, now); err != nil {
		return v, false, fmt.Errorf("cannot make the registry's certificate: %w", err)
	}
	if before.Password != v.Password || !exists(dir(s, "users")) {
		// The registry checks it at each request, and nobody guesses a random one.
		hash, err := bcrypt.GenerateFromPassword([]byte(v.Password), bcrypt.MinCost)
		if err != nil {
			return v, false, err
		}
		f.put("users", fmt.Appendf(nil, "%s:%s\n", User, hash))
	}
	f.put(configFile, config(f.dir, v))
	data, err := json.Marshal(v)
	if err != nil {
		return v, false, err
	}
	f.put(filepath.Base(s.ServedRegistry()), append(data, '\n'))
	if f.err != nil {
		return v, false, fmt.Errorf("cannot write the registry's settings: %w", f.err)
	}
	return v, f.changed, nil
}

// config is the configuration of docker-registry. It has no cache of what exists, since Sweep
// removes things beside it.
func config(dir string, v Served) []byte {
	return fmt.Appendf(nil, `# Written by dokku registry:serve.
version: 0.1
log:
  level: warn
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: %[1]q
  delete:
    enabled: true
http:
  addr: ":%[2]d"
  tls:
    certificate: %[3]q
    key: %[4]q
auth:
  htpasswd:
    realm: dokku
    path: %[5]q
`, filepath.Join(dir, imagesDir), v.Port, filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"), filepath.Join(dir, "users"))
}

// files writes the registry's files. The first error stays.
type files struct {
	disk    disk.Disk
	dir     string
	changed bool
	err     error
}

func (f *files) folder(path string) {
	if f.err == nil {
		f.err = f.disk.MkdirAll(path, 0o700)
	}
}

// put replaces a file that has another content.
func (f *files) put(name string, data []byte) {
	path := filepath.Join(f.dir, name)
	if old, err := os.ReadFile(path); f.err != nil || err == nil && slices.Equal(old, data) {
		return
	}
	f.err = f.disk.Replace(path, data, 0o600)
	f.changed = true
}

// certificates makes the authority, and the server's certificate if there is none for the
// address or if it is about to end.
func (f *files) certificates(v *Served, now time.Time) error {
	read := func(name string) []byte {
		data, _ := os.ReadFile(filepath.Join(f.dir, name))
		return data
	}
	var ca certs.Pair
	var err error
	chain, key := read("ca.crt"), read("ca.key")
	if chain == nil || key == nil {
		ca, err = certs.NewAuthority("dokku registry of "+v.Address, now)
		f.put("ca.key", ca.Key)
		f.put("ca.crt", ca.Chain)
	} else {
		ca, err = certs.ReadAuthority(chain, key)
	}
	if err != nil {
		return err
	}
	v.Authority = ca.Chain
	own, _, err := certs.Parse(read("server.crt"), read("server.key"), now)
	if err == nil && own.Leaf.VerifyHostname(v.Address) == nil && own.Leaf.CheckSignatureFrom(ca.Leaf) == nil && own.Leaf.NotAfter.Sub(now) > 365*24*time.Hour {
		return nil
	}
	if own, err = ca.Issue([]string{v.Address, "localhost", "127.0.0.1"}, now); err == nil {
		f.put("server.key", own.Key)
		f.put("server.crt", own.Chain)
	}
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
