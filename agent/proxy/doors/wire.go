package doors

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dokku/agent/proxy"
)

// Protocol is the version of what a server and its front doors say to each other. It changes
// whenever one side would misunderstand the other.
const Protocol = 2

// Command is the word by which a front door's forced command calls [Door.Serve].
const Command = "front-door:serve"

const (
	// maxRequest and maxResponse bound a message, in bytes.
	maxRequest  = 64 << 20
	maxResponse = 16 << 20
	// maxFile bounds a file of a request, and maxFiles their number and their size together.
	maxFile      = 16 << 20
	maxFiles     = 2000
	maxFilesSize = 40 << 20
)

// An op is what a request asks for.
type op string

const (
	opStage    op = "stage"
	opPublish  op = "publish"
	opWithdraw op = "withdraw"
	opRefresh  op = "refresh"
	opStatus   op = "status"
)

// A request is one call of a front door: JSON on its standard input.
type request struct {
	Protocol int
	Op       op
	App      string       `json:",omitempty"` // of withdraw
	Route    *proxy.Route `json:",omitempty"`
	// Replaces and Users are those of Route and its Auth, which its JSON leaves out.
	Replaces string            `json:",omitempty"`
	Users    map[string]string `json:",omitempty"`
	Files    []file            `json:",omitempty"`
	Settings Settings
	// Examine: status also looks at the front door's nginx.
	Examine bool `json:",omitempty"`
}

// Settings are those of the server that a front door needs for each route.
type Settings struct {
	// Port and TLSPort are where the server's nginx listens, Back is its address.
	Port, TLSPort int
	Back          netip.Addr
	// Trusted and DefaultSite are as in nginx.Config.
	Trusted     []netip.Prefix `json:",omitempty"`
	DefaultSite bool           `json:",omitempty"`
}

// A response is the answer: JSON on standard output.
type response struct {
	Protocol int
	Version  string    // of the program
	Time     time.Time // on the front door's clock
	Error    string    `json:",omitempty"`
	// Token identifies the route that publish has made live, Routes all live ones by app.
	Token  string            `json:",omitempty"`
	Routes map[string]string `json:",omitempty"`
	// Troubles are what is wrong with nginx there.
	Troubles []string `json:",omitempty"`
}

// A kind says what a file of a request belongs to.
type kind string

const (
	kindCertificate kind = "certificate"
	kindPage        kind = "page"
	kindInclude     kind = "include"
)

// A file is one that a route names.
type file struct {
	Of   kind
	ID   string `json:",omitempty"`
	Name string // with slashes, below the folder of its kind and id
	Data []byte
}

// filesOf reads the files that a route names.
func filesOf(r proxy.Route) (list []file, err error) {
	for _, c := range r.Pairs() {
		for _, name := range []string{proxy.CertificateFile, proxy.KeyFile} {
			data, err := os.ReadFile(filepath.Join(c.Dir, name))
			if err != nil {
				return nil, fmt.Errorf("cannot read a certificate of %s: %w", r.App, err)
			}
			list = append(list, file{kindCertificate, c.ID, name, data})
		}
	}
	if m := r.Maintenance; m != nil && m.Page.ID != "" {
		pages := os.DirFS(m.Page.Dir)
		err := fs.WalkDir(pages, ".", func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			data, err := fs.ReadFile(pages, path)
			list = append(list, file{kindPage, m.Page.ID, path, data})
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("cannot read the maintenance page of %s: %w", r.App, err)
		}
	}
	own, err := includes(r)
	return append(list, own...), err
}

// includes reads the admin's nginx files of a route.
func includes(r proxy.Route) (list []file, err error) {
	if r.Settings.IncludeDir == "" {
		return nil, nil
	}
	paths, err := filepath.Glob(filepath.Join(r.Settings.IncludeDir, "*.conf"))
	slices.Sort(paths)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read the nginx files of %s: %w", r.App, err)
		}
		list = append(list, file{Of: kindInclude, Name: filepath.Base(path), Data: data})
	}
	return list, err
}

// checkFiles refuses files that are too many or too large, or that the route does not name.
func checkFiles(r proxy.Route, list []file) error {
	size := 0
	for _, f := range list {
		size += len(f.Data)
		named := f.Of == kindInclude && f.ID == "" && strings.HasSuffix(f.Name, ".conf") && !strings.Contains(f.Name, "/") ||
			f.Of == kindPage && r.Maintenance != nil && f.ID == r.Maintenance.Page.ID ||
			f.Of == kindCertificate && (f.Name == proxy.CertificateFile || f.Name == proxy.KeyFile) &&
				slices.ContainsFunc(r.Pairs(), func(c *proxy.Certificate) bool { return c.ID == f.ID })
		switch {
		case !named || !filepath.IsLocal(f.Name):
			return fmt.Errorf("the route of %s does not name its file %.80q", r.App, f.Name)
		case len(f.Data) > maxFile:
			return fmt.Errorf("the file %s of %s has more than %d MiB", f.Name, r.App, maxFile>>20)
		}
	}
	if len(list) > maxFiles || size > maxFilesSize {
		return fmt.Errorf("the files of %s are more than %d, or more than %d MiB", r.App, maxFiles, maxFilesSize>>20)
	}
	return nil
}

// digest identifies values by their JSON.
func digest(values ...any) string {
	h := sha256.New()
	for _, v := range values {
		text, err := json.Marshal(v)
		if err != nil {
			panic(fmt.Sprintf("internal error: %T has no JSON: %v", v, err))
		}
		h.Write(append(text, '\n'))
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// token identifies a route as a front door's nginx serves it.
func token(r proxy.Route) string { return digest(r, r.Outdated) }

// read reads one JSON value of at most max bytes. Of another version of the protocol, it
// reads the number alone.
func read(in io.Reader, max int64, v any) (protocol int, err error) {
	text, err := io.ReadAll(io.LimitReader(in, max+1))
	if err != nil {
		return 0, err
	}
	if int64(len(text)) > max {
		return 0, fmt.Errorf("more than %d MiB", max>>20)
	}
	var head struct{ Protocol int }
	if err := json.Unmarshal(text, &head); err != nil || head.Protocol == 0 {
		return 0, errors.New("no message of a front door")
	}
	if head.Protocol != Protocol {
		return head.Protocol, nil
	}
	return Protocol, json.Unmarshal(text, v)
}
