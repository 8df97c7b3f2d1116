package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/docker/go-units"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/text"
	"dokku/agent/vault"
)

// plain are the characters of a source that stay in the name of its backups.
var plain = regexp.MustCompile(`[^A-Za-z0-9_.]+`)

// maxSlug is the length of what stays of a long source.
const maxSlug = 60

// slugOf names a source in paths. The hash tells /a/b from /a-b.
func slugOf(source string) string {
	slug := strings.Trim(plain.ReplaceAllString(source, "-"), "-.")
	return fmt.Sprintf("%s-%.4x", slug[max(0, len(slug)-maxSlug):], sha256.Sum256([]byte(source)))
}

// MountJob is the backup of the folder or volume that an app mounts. base is the plan of the
// server.
func MountJob(s *agent.Server, name string, m app.Mount, base vault.Plan) vault.Job {
	slug := slugOf(m.Source)
	return vault.Job{About: fmt.Sprintf("%s of %s", m.Source, name), App: name, Base: base,
		Try:   fmt.Sprintf("dokku storage:backup %s %s", name, m.Source),
		Vault: vault.Vault{Dir: s.Env.Store.File(name, Folder, slug), Disk: s.Env.Store.Disk},
		Source: vault.Source{Item: "storage/" + name + "/" + slug, Extension: ".tar.gz",
			Dump: func(ctx context.Context, w io.Writer) error {
				host, err := s.Host()
				if err != nil {
					return err
				}
				v, err := s.View(name)
				if err != nil {
					return err
				}
				source, err := v.Settings.Source(m, v.State.Isolated())
				if err != nil {
					return err
				}
				z := gzip.NewWriter(w)
				end := &ending{w: z}
				err = host.ReadFiles(ctx, source, end)
				if err == nil && !end.whole() {
					err = errors.New("the engine broke the archive off, since a file changed while it was read: stop the app meanwhile, or try again")
				}
				if err != nil {
					return err
				}
				return z.Close()
			},
			Prove: func(_ context.Context, r io.Reader) (string, error) {
				z, err := gzip.NewReader(r)
				if err != nil {
					return "", err
				}
				files, size, err := walk(z, nil)
				return fmt.Sprintf("%s, %s unpacked", text.Plural(files, "file"), units.HumanSize(float64(size))), err
			}}}
}

// mountJobs are the mounts of all apps that have a plan or a backup.
func mountJobs(s *agent.Server, base vault.Plan) (list []vault.Job, err error) {
	names, err := s.Env.Store.Apps()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		st, err := s.Env.Store.State(name)
		if err != nil {
			continue // the app's own check says so
		}
		for _, m := range st.Mounts {
			if j := MountJob(s, name, m, base); j.Exists() {
				list = append(list, j)
			}
		}
	}
	return list, nil
}

// ending passes bytes on and keeps the last ones.
type ending struct {
	w    io.Writer
	last []byte
}

func (e *ending) Write(p []byte) (int, error) {
	e.last = append(e.last, p[max(0, len(p)-tarEnd):]...)
	e.last = e.last[max(0, len(e.last)-tarEnd):]
	return e.w.Write(p)
}

// tarEnd is the size in bytes of the end of an archive: two empty blocks.
const tarEnd = 1024

func (e *ending) whole() bool { return bytes.Equal(e.last, make([]byte, tarEnd)) }

// walk reads an archive to its end, and copies it to w unless that is nil. It refuses what no
// folder of an app has: devices.
func walk(r io.Reader, w *tar.Writer) (files int, size int64, err error) {
	for from := tar.NewReader(r); ; {
		h, err := from.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, r) // gzip's checksum is behind the last block
			return files, size, err
		}
		if err != nil {
			return files, size, err
		}
		switch h.Typeflag {
		case tar.TypeReg:
			files++
		case tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeFifo:
		default:
			return files, size, fmt.Errorf("it has %q, which is a device or something else that a backup of an app's files may not have", event.OneLine(h.Name))
		}
		to := io.Discard
		if w != nil {
			if err := w.WriteHeader(h); err != nil {
				return files, size, err
			}
			to = w
		}
		n, err := io.Copy(to, from)
		if size += n; err != nil {
			return files, size, err
		}
	}
}

// RestoreMount unpacks a backup of MountJob into the mount's source. The app must not run, and
// the source has to be empty, unless force says otherwise; files that the backup lacks stay. It
// returns what it has unpacked. After an error, some of it may be there: the same call again
// does the rest.
func RestoreMount(ctx context.Context, s *agent.Server, name string, m app.Mount, r io.Reader, force bool, log event.Log) (found string, err error) {
	j := MountJob(s, name, m, vault.Plan{})
	err = s.Env.With(ctx, name, deploy.Op{Name: "storage:restore"}, log, func(x *deploy.Session) error {
		host, err := s.Host()
		if err != nil {
			return err
		}
		// What an app has put in the place of the folder must not be opened: see app.DirectPath.
		if m.Source, err = x.Settings.Source(m, x.State.Isolated()); err != nil {
			return err
		}
		return j.Alone(func() error {
			if err := fit(ctx, host, x, m, force); err != nil {
				return err
			}
			log.Step("Restoring %s", j.About)
			found, err = unpack(ctx, host, m, r)
			return err
		})
	})
	return found, err
}

// fit returns an error unless a backup can be unpacked into a mount without harm.
func fit(ctx context.Context, host engine.Host, x *deploy.Session, m app.Mount, force bool) error {
	o, err := deploy.Observe(ctx, host, x.App)
	if err != nil || force {
		return err
	}
	for _, i := range o.Instances {
		if i.Running() {
			return fmt.Errorf("%s runs, and would see half of it: dokku ps:stop %s first, or --force", i.Name, x.Name)
		}
	}
	has := &first{}
	err = host.ReadFiles(ctx, m.Source, has)
	switch {
	case errors.Is(err, engine.ErrNoSource):
		return nil // unpack says so, or the engine makes it
	case has.file != "":
		return fmt.Errorf("%s is not empty (it has %s): --force unpacks over it, and leaves files that the backup lacks", m.Source, event.OneLine(has.file))
	}
	return err
}

// errEnough ends a read of which the rest is not needed.
var errEnough = errors.New("enough is read")

// first looks for the first file of an archive that is written to it.
type first struct {
	data []byte
	file string
}

func (f *first) Write(p []byte) (int, error) {
	f.data = append(f.data, p...)
	for r := tar.NewReader(bytes.NewReader(f.data)); ; {
		h, err := r.Next()
		if err != nil {
			break // more is needed, or this was the end
		}
		if h.Typeflag != tar.TypeDir {
			f.file = strings.TrimPrefix(h.Name, "./")
			return 0, errEnough
		}
	}
	return len(p), nil
}

// unpack gives the engine an archive that was checked on its way.
func unpack(ctx context.Context, host engine.Host, m app.Mount, r io.Reader) (string, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return "", fmt.Errorf("this is no backup of files: %w", err)
	}
	out, in := io.Pipe()
	var files int
	var size int64
	done := make(chan error, 1)
	go func() {
		w := tar.NewWriter(in)
		var err error
		if files, size, err = walk(z, w); err == nil {
			err = w.Close()
		}
		in.CloseWithError(err)
		done <- err
	}()
	err = host.WriteFiles(ctx, m.Source, out)
	out.CloseWithError(err)
	if failed := <-done; failed != nil && (err == nil || !errors.Is(failed, err)) {
		err = failed
	}
	if err != nil {
		return "", fmt.Errorf("cannot restore all of %s: %w", m.Source, err)
	}
	return fmt.Sprintf("%s, %s", text.Plural(files, "file"), units.HumanSize(float64(size))), nil
}
