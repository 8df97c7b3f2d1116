package herokuish

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"dokku/build"
	"dokku/build/container"
	"dokku/build/source"
)

const (
	// DefaultImage is Dokku's default.
	DefaultImage = "gliderlabs/herokuish:latest-24"
	// defaultUser is the user of the app in the image. DOKKU_APP_USER names another one.
	defaultUser = "herokuishuser"
	varUser     = "DOKKU_APP_USER"
	// maxPids is the number of processes and threads of a build.
	maxPids = 4096
)

// capabilities are those by which root gives files and processes to the app's user.
var capabilities = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"}

// Builder builds with herokuish.
type Builder struct {
	engine *container.Engine
	// CachePrefix begins the names of the volumes with what builds keep. Those of Dokku are
	// called cache-APP, and so are those without a prefix.
	CachePrefix string
}

var _ build.Fallback = (*Builder)(nil)

// New returns a Builder whose containers run on an engine. It does not call the engine.
func New(e *container.Engine) *Builder { return &Builder{engine: e} }

// Name is "herokuish".
func (*Builder) Name() string { return build.Herokuish }

// job is one build.
type job struct {
	build.Request
	engine *container.Engine
	image  string // the name of herokuish's image
	cache  string // what the name of the cache's volume has before the app's
	user   string
	out    *output
	files  files
}

// Build runs the buildpacks and makes an image of the result.
func (b *Builder) Build(ctx context.Context, r build.Request) (build.Result, error) {
	start := time.Now()
	tree, err := r.Source.Tree(ctx, r.Commit, source.DefaultLimits)
	if err != nil {
		return build.Result{}, err
	}
	h := build.Header{Commit: r.Commit, FilesChanged: tree.Stats.Files, BytesChanged: tree.Stats.Bytes, Sending: true}
	if r.Old != "" {
		if n, err := r.Source.Changed(ctx, r.Old, r.Commit.Tree, source.DefaultLimits.Files); err == nil {
			h.FilesChanged = n // else the old commit is gone, as after a forced push
		}
	}
	j := &job{Request: r, engine: b.engine, cache: b.CachePrefix + "cache-", image: cmp.Or(r.Stack, DefaultImage), user: cmp.Or(r.Env[varUser], defaultUser), out: newOutput(r, &h)}
	if j.files, err = newFiles(r, j.user); err != nil {
		return build.Result{}, err
	}
	result := build.Result{}
	result.ImageID, result.Procfile, err = j.run(ctx, tree)
	result.Header, result.Duration = h, time.Since(start)
	return result, err
}

// run builds the image, and finds the process types of a revision without a Procfile.
func (j *job) run(ctx context.Context, tree *source.Tree) (id string, procfile []byte, err error) {
	image, err := j.engine.Image(ctx, j.image, j.Registries, j.out.print)
	if err != nil {
		return "", nil, fmt.Errorf("cannot build %s with herokuish: %w", j.Commit.Short, err)
	}
	c, err := j.engine.Create(ctx, container.Spec{
		Name:         j.App + ".build.herokuish",
		Image:        image,
		Entrypoint:   []string{"/bin/sh", dirScript + "/" + scriptBuild},
		Labels:       j.Labels,
		Capabilities: capabilities,
		Network:      j.Network,
		Scratch:      []string{dirSource, dirEnv, dirScript},
		Caches:       []container.Cache{{Name: j.cache + j.App, Target: dirCache, Labels: map[string]string{labelBuilder: build.Herokuish}}},
		Limits:       container.Limits{Memory: j.Limits.Memory, Pids: maxPids},
	})
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, c.Remove()) }()
	if err := j.send(ctx, c, tree); err != nil {
		return "", nil, err
	}
	end, err := c.Run(ctx, "running the buildpacks", j.out.line)
	if err != nil {
		return "", nil, fmt.Errorf("cannot build %s: %w", j.Commit.Short, err)
	}
	if end.ExitCode != 0 {
		return "", nil, j.failure(end)
	}
	if j.Procfile == nil {
		if procfile, err = found(ctx, c); err != nil {
			return "", nil, err
		}
	}
	id, err = j.commit(ctx, c)
	return id, procfile, err
}

// send copies the revision and the files of the build into the container.
func (j *job) send(ctx context.Context, c *container.Container, tree *source.Tree) error {
	err := c.CopyIn(ctx, dirSource, func(w *tar.Writer) error {
		if err := j.Source.Archive(ctx, tree, source.Owner{ModTime: j.Commit.Time}, w); err != nil {
			return err
		}
		return j.files.source.write(w, j.Commit.Time)
	})
	if err == nil {
		err = c.CopyIn(ctx, dirEnv, func(w *tar.Writer) error { return j.files.env.write(w, j.Commit.Time) })
	}
	if err == nil {
		err = c.CopyIn(ctx, dirScript, func(w *tar.Writer) error { return j.files.script.write(w, j.Commit.Time) })
	}
	if err != nil {
		return fmt.Errorf("cannot build %s: %w", j.Commit.Short, err)
	}
	j.out.sent(tree.Stats.Bytes)
	return nil
}

// found returns the Procfile of the slug; nil: it has none.
func found(ctx context.Context, c *container.Container) (content []byte, err error) {
	err = c.CopyOut(ctx, dirApp+"/Procfile", func(r *tar.Reader) error {
		h, err := r.Next()
		if err != nil || h.Typeflag != tar.TypeReg {
			return err
		}
		content, err = io.ReadAll(io.LimitReader(r, maxFile))
		if len(bytes.TrimSpace(content)) == 0 {
			content = nil
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return content, err
}

// commit makes an image of the slug, which runs as the app's user.
func (j *job) commit(ctx context.Context, c *container.Container) (string, error) {
	labels := map[string]string{labelBuilder: build.Herokuish}
	for k, v := range j.Labels {
		labels[k] = v
	}
	id, err := c.Commit(ctx, container.Image{User: j.user, Dir: dirApp, Labels: labels,
		Env: []string{"USER=" + j.user, "HEROKUISH_SETUIDGUID=false", "HEROKUISH_DISABLE_CHOWN=true"}})
	if err != nil {
		return "", fmt.Errorf("cannot build %s: %w", j.Commit.Short, err)
	}
	return id, nil
}

// labelBuilder is the label of Dokku's images and caches that names their builder.
const labelBuilder = "com.dokku.builder-type"

// validUser reports whether a name is one that every system takes for a user.
func validUser(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == "" && name[0] != '-'
}
