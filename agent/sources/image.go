package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/distribution/reference"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/build/registry"
)

// Image is the input of FromImage and LoadImage.
type Image struct {
	Name string // as `docker pull` takes it, or an id
	// Pull fetches it from its registry also if the engine has it.
	Pull bool
	// Context is a folder whose files become the build context; "": none.
	Context string
	Author
}

// FromImage deploys an image of a registry, or one that the engine has.
func (i *Importer) FromImage(ctx context.Context, name string, m Image, log event.Log) error {
	ref, err := parseImage(m.Name)
	if err != nil {
		return err
	}
	t, host, err := i.imageTarget(name)
	if err != nil {
		return err
	}
	log.Step("Generating build context")
	info, err := host.Image(ctx, m.Name)
	switch {
	case err == nil && !m.Pull:
		log.Step("Image exists on host, skipping pull")
		return i.deployImage(ctx, t, m, ref, info, "git:from-image", log)
	case err == nil:
		log.Step("Force pulling image")
	case errors.Is(err, engine.ErrNoImage):
		log.Step("Pulling image")
	default:
		return err
	}
	if err := i.Server.Env.CheckSpace("pull the image", log); err != nil {
		return err
	}
	if info, err = i.pull(ctx, name, host, ref, log); err != nil {
		return err
	}
	return i.deployImage(ctx, t, m, ref, info, "git:from-image", log)
}

// LoadImage deploys an image of an archive that docker save wrote. The engine gets no
// other name from it: an archive may not move the names of other apps' images.
func (i *Importer) LoadImage(ctx context.Context, name string, m Image, in io.Reader, log event.Log) error {
	ref, err := parseImage(m.Name)
	if err != nil {
		return err
	}
	t, host, err := i.imageTarget(name)
	if err != nil {
		return err
	}
	set, err := i.Server.Settings()
	if err != nil {
		return err
	}
	limits, err := imageLimits(set)
	if err != nil {
		return err
	}
	if err := i.Server.Env.CheckSpace("load the image", log); err != nil {
		return err
	}
	loaded := log.Busy("loading the image")
	err = loadNamed(ctx, host, ref, &limitedReader{r: &cancelReader{ctx, in}, left: limits, limit: limits}, limits, i.Server.Env.Room)
	loaded()
	if err != nil {
		return err
	}
	info, err := host.Image(ctx, m.Name)
	if err != nil {
		return err
	}
	return i.deployImage(ctx, t, m, ref, info, "git:load-image", log)
}

func (i *Importer) imageTarget(name string) (target, engine.Host, error) {
	t, err := i.target(name, "")
	if err != nil {
		return t, nil, err
	}
	host, err := i.Server.Host()
	return t, host, err
}

// parseImage checks the name of an image: it becomes a line of a Dockerfile.
func parseImage(name string) (reference.Reference, error) {
	ref, err := reference.ParseAnyReference(name)
	if err != nil {
		return nil, fmt.Errorf("cannot use %q as an image: %w", event.OneLine(name), err)
	}
	if named, ok := ref.(reference.Named); ok {
		return reference.TagNameOnly(named), nil
	}
	return ref, nil
}

// pull fetches an image with the login of the app or of the server.
func (i *Importer) pull(ctx context.Context, app string, host engine.Host, ref reference.Reference, log event.Log) (engine.ImageInfo, error) {
	named, ok := ref.(reference.Named)
	if !ok {
		return engine.ImageInfo{}, fmt.Errorf("cannot pull %s: it is an image's id, and no registry knows those; give the image's name", engine.Short(ref.String()))
	}
	short := reference.FamiliarString(named)
	server := reference.Domain(named)
	login, err := registry.Find(ctx, append(i.Server.Env.Store.Registries(app), ""), server)
	if err != nil {
		return engine.ImageInfo{}, err
	}
	pulled := log.Busy("pulling %s", short)
	err = host.Pull(ctx, short, engine.RegistryAuth{Server: server, User: login.User, Secret: login.Secret}, nil)
	pulled()
	if err != nil {
		//lint:ignore ST1005 Dokku's own message
		return engine.ImageInfo{}, fmt.Errorf("Failed to pull image: %s\n%w%s", short, err, advice(err, app, server, login.Secret != ""))
	}
	return host.Image(ctx, short)
}

// advice tells what helps against a refusal by a registry.
func advice(err error, app, server string, loggedIn bool) string {
	text := strings.ToLower(err.Error())
	for _, phrase := range []string{"unauthorized", "denied", "no basic auth", "authentication required", "login"} {
		if !strings.Contains(text, phrase) {
			continue
		}
		if loggedIn {
			return fmt.Sprintf("\nThe stored login for %s does not help: dokku registry:login %s %[1]s USER PASSWORD", server, app)
		}
		return fmt.Sprintf("\nIf the image is private: dokku registry:login %s %s USER PASSWORD", app, server)
	}
	return ""
}

// deployImage commits a Dockerfile for the image and pushes it.
func (i *Importer) deployImage(ctx context.Context, t target, m Image, ref reference.Reference, info engine.ImageInfo, command string, log event.Log) error {
	dir, done, err := i.staging(t)
	if err != nil {
		return err
	}
	defer done()
	limits, err := i.limits()
	if err != nil {
		return err
	}
	w := newObjects(dir, limits)
	if m.Context != "" {
		log.Detail("Syncing build directory context")
		if err := addFolder(w, m.Context); err != nil {
			return fmt.Errorf("cannot use the build directory %s: %w", m.Context, err)
		}
	}
	from := pinned(ref, info, t.app.Name)
	text := deploy.ImageDockerfile(from, m.Name, info.ID)
	file := path.Join(t.app.BuildDir(), cmp.Or(t.app.BuildProperty(app.PropDockerfile), "Dockerfile"))
	if err := w.add(file, filemode.Regular, int64(len(text)), strings.NewReader(text)); err != nil {
		return err
	}
	tree, err := w.checkedTree()
	if err != nil {
		return err
	}
	log.Step("Updating git repository with specified build context")
	message := fmt.Sprintf("%s %s\n\nImage: %s\nImage-Id: %s\n", command, m.Name, from, info.ID)
	return i.commit(ctx, t, w, tree, m.Author, message,
		deploy.Origin{Command: command, Source: app.Source{Kind: app.SourceImage, From: m.Name}})
}

// pinned returns the image's name by its digest if a registry has it, else a name that
// this engine knows.
func pinned(ref reference.Reference, info engine.ImageInfo, app string) string {
	named, ok := ref.(reference.Named)
	if !ok {
		return deploy.ImageTag(app, info.ID)
	}
	for _, d := range info.Digests {
		if by, err := reference.ParseNormalizedNamed(d); err == nil && by.Name() == named.Name() {
			return reference.FamiliarString(by)
		}
	}
	return reference.FamiliarString(named)
}
