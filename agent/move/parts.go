package move

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dokku/agent/app"
	"dokku/scale"
)

// ports reads the mappings, where they are not in a report: before Dokku 0.31.
func (s *Server) ports(ctx context.Context, a *App) error {
	if len(a.Reports["ports"]) > 0 {
		return nil
	}
	text, err := s.dokku(ctx, "proxy:ports", a.Name)
	var failed *Failed
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	var list []string
	for _, line := range lines(text) {
		if f := strings.Fields(line); len(f) == 3 && f[0] != "scheme" {
			list = append(list, strings.Join(f, ":"))
		}
	}
	a.Reports["ports"] = Report{"map": strings.Join(list, " ")}
	return nil
}

// scale reads the counts of the process types.
func (s *Server) scale(ctx context.Context, a *App) error {
	text, err := s.dokku(ctx, "ps:scale", a.Name)
	if err != nil {
		return err
	}
	a.Scale = map[string]string{}
	for _, line := range lines(text) {
		typ, count, _ := strings.Cut(line, ":")
		if _, err := strconv.Atoi(strings.TrimSpace(count)); err == nil {
			a.Scale[typ] = strings.TrimSpace(count)
		}
	}
	// Dokku drops a type with the count 0 that no Procfile names.
	if _, ok := a.Scale[scale.Web]; !ok && a.Reports["ps"]["deployed"] == "true" {
		a.Scale[scale.Web] = "0"
	}
	return nil
}

// mounts reads the folders and volumes.
func (s *Server) mounts(ctx context.Context, a *App) error {
	text, err := s.dokku(ctx, "storage:list", a.Name)
	if err != nil {
		return err
	}
	for _, line := range lines(text) {
		f := strings.SplitN(strings.Fields(line)[0], ":", 3)
		if len(f) < 2 {
			continue
		}
		m := Mount{Source: f[0], Target: f[1]}
		if len(f) == 3 {
			m.Options = f[2]
		}
		if m.Dir, m.Filled, err = s.filled(ctx, m.Source); err != nil {
			return err
		}
		a.Mounts = append(a.Mounts, m)
	}
	return nil
}

// filled returns the folder in which a folder or a volume has its files, and whether there
// are any. A volume whose folder Docker does not tell has none.
func (s *Server) filled(ctx context.Context, source string) (dir string, filled bool, err error) {
	var failed *Failed
	if dir = source; !path.IsAbs(source) {
		dir, err = output(ctx, s.Host, "docker", "volume", "inspect", "--format", "{{.Mountpoint}}", "--", source)
		if err != nil && !errors.As(err, &failed) {
			return "", false, err
		}
		if dir = strings.TrimSpace(dir); !path.IsAbs(dir) {
			return "", false, nil
		}
	}
	found, err := output(ctx, s.Host, "ls", "-A", "--", dir)
	if err != nil && !errors.As(err, &failed) {
		return "", false, err
	}
	return dir, strings.TrimSpace(found) != "", nil
}

func (s *Server) certificate(ctx context.Context, a *App) (err error) {
	r := a.Reports["certs"]
	if r["enabled"] != "true" {
		return nil
	}
	dir := path.Join(a.Dir, "tls")
	if c := a.state.Certificate; c != nil {
		dir = path.Join(a.Dir, "dokku", app.TLSDir, path.Base(c.ID))
	}
	if a.Certificate, err = s.file(ctx, path.Join(dir, "server.crt")); err == nil {
		a.PrivateKey, err = s.file(ctx, path.Join(dir, "server.key"))
	}
	return err
}

// written are the files of nginx.conf.d that Dokku and its plugins write.
var written = []string{"hsts.conf", "http-auth.conf", "letsencrypt.conf", "maintenance.conf", "redirect.conf", "ssl.conf"}

// state reads the state of an app of this program, for what no command of it prints. Dokku
// has none.
func (s *Server) state(ctx context.Context, a *App) error {
	text, err := s.file(ctx, path.Join(a.Dir, "dokku", "state.json"))
	if err != nil || text == "" {
		return err
	}
	if err := json.Unmarshal([]byte(text), &a.state); err != nil {
		return fmt.Errorf("cannot read the state of %s: %w", a.Name, err)
	}
	for _, from := range slices.Sorted(maps.Keys(a.state.Redirects)) {
		r := a.state.Redirects[from]
		a.Redirects = append(a.Redirects, fmt.Sprintf("%s:%s:%d", from, r.To, r.Code))
	}
	if a.state.Auth != nil {
		for _, user := range slices.Sorted(maps.Keys(a.state.Auth.Users)) {
			a.Users += user + ":" + a.state.Auth.Users[user] + "\n"
		}
	}
	return nil
}

// beside reads what plugins keep in the app's folder.
func (s *Server) beside(ctx context.Context, a *App) error {
	if a.state.Version != 0 {
		return nil // see state
	}
	if s.Plugins["redirect"] {
		text, err := s.file(ctx, path.Join(a.Dir, "REDIRECTS"))
		if err != nil {
			return err
		}
		a.Redirects = lines(text)
	}
	if s.Plugins["http-auth"] {
		text, err := s.file(ctx, path.Join(a.Dir, "htpasswd"))
		if err != nil {
			return err
		}
		a.Users = text
	}
	return nil
}

var commitID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// tip finds the deploy branch and its commit.
func (s *Server) tip(ctx context.Context, a *App) error {
	r := a.Reports["git"]
	for _, branch := range []string{r["deploy-branch"], r["computed-deploy-branch"], r["global-deploy-branch"], "master", "main"} {
		if branch == "" || strings.Contains(branch, "..") {
			continue
		}
		ref := "refs/heads/" + branch
		text, err := s.file(ctx, path.Join(a.Dir, ref))
		if err != nil {
			return err
		}
		if text = strings.TrimSpace(text); text == "" {
			packed, err := s.file(ctx, path.Join(a.Dir, "packed-refs"))
			if err != nil {
				return err
			}
			for _, line := range lines(packed) {
				if id, ok := strings.CutSuffix(line, " "+ref); ok {
					text = id
				}
			}
		}
		if commitID.MatchString(text) {
			a.Branch, a.Tip = branch, text
			return nil
		}
	}
	return nil
}

// Archive writes a tar of the app's repository, without what belongs to that server.
func (s *Server) Archive(ctx context.Context, a *App, out io.Writer) error {
	// refs first: what a push brings meanwhile is more than they need. A shallow repository
	// has a list of its boundary; --ignore-failed-read allows for one that has none.
	err := s.Host.Run(ctx, out, "tar", "-C", a.Dir, "--ignore-failed-read", "--warning=no-file-changed", "-cf", "-", "refs", "packed-refs", "shallow", "objects")
	var failed *Failed
	if errors.As(err, &failed) && failed.Code == 1 || errors.As(err, &failed) && failed.Code == 2 {
		return nil // a file that is not there; what is missing shows when the history is read
	}
	if err != nil {
		return fmt.Errorf("cannot read the repository of %s: %w", a.Name, err)
	}
	return nil
}
