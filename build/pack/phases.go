package pack

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/pelletier/go-toml/v2"

	"dokku/build"
	"dokku/build/container"
)

// maxFile is the size in bytes of the largest file that is read from a build's folders
// as a whole.
const maxFile = 4 << 20

// maxPids is how many processes and threads the buildpacks may have at once.
const maxPids = 4096

// step is the name of a phase in the push.
func step(n int, name string) string { return fmt.Sprintf("[%d/5] %s", n, name) }

// trusted runs a phase of our lifecycle: without a network, with the caches, as the
// builder's user. It prints nothing unless it fails.
func (j *job) trusted(ctx context.Context, n int, name, program string, args ...string) error {
	spec := container.Spec{Name: j.App + ".build." + name, Image: j.lifecycle, Labels: j.Labels, Network: "none", User: j.builder.user(),
		Entrypoint: []string{"/cnb/lifecycle/" + program}, Command: args, From: []*container.Container{j.shared, j.private},
		Env: append(j.commonEnv(), "CNB_ANALYZED_PATH="+dirTrusted+fileAnalyzed, "CNB_CACHE_DIR="+dirCache,
			"CNB_EXPERIMENTAL_MODE=quiet", "CNB_USE_LAYOUT=true", "CNB_LAYOUT_DIR="+dirLayout, "HOME=/tmp",
			envUser+"="+strconv.Itoa(j.builder.uid), envGroup+"="+strconv.Itoa(j.builder.gid))}
	f := &filter{print: j.out.line, quiet: true}
	end, err := j.runPhase(ctx, spec, step(n, name), f)
	if err != nil || end.ExitCode == 0 {
		return err
	}
	return &build.Error{Commit: j.Commit.Short, Step: step(n, name), Output: end.Output,
		Reason: "the lifecycle refuses it: " + f.reason(end)}
}

// untrusted runs a phase of the builder's lifecycle with the buildpacks, in the builder
// image, without the caches.
func (j *job) untrusted(ctx context.Context, n int, name, program string, f *filter) (container.End, error) {
	spec := container.Spec{Name: j.App + ".build." + name, Image: j.builder.id, Labels: j.Labels, Network: j.Network, User: j.builder.user(), Dir: dirLayers,
		Entrypoint: []string{"/cnb/lifecycle/" + program}, Command: []string{}, From: []*container.Container{j.shared},
		Env:    append(j.commonEnv(), "CNB_ANALYZED_PATH="+dirLayers+fileAnalyzed, "CNB_LOG_LEVEL=debug"),
		Limits: container.Limits{Memory: j.Limits.Memory, Pids: maxPids}}
	if j.order != nil {
		spec.Env = append(spec.Env, "CNB_ORDER_PATH="+dirPlatform+"/"+fileOrder)
	}
	return j.runPhase(ctx, spec, step(n, name), f)
}

// commonEnv are the variables of all phases.
func (j *job) commonEnv() []string {
	return []string{"CNB_PLATFORM_API=" + j.builder.api, "CNB_NO_COLOR=true", "CNB_LAYERS_DIR=" + dirLayers,
		"CNB_APP_DIR=" + dirApp, "CNB_PLATFORM_DIR=" + dirPlatform}
}

// runPhase runs one container to its end and removes it.
func (j *job) runPhase(ctx context.Context, s container.Spec, name string, f *filter) (end container.End, err error) {
	c, err := j.engine.Create(ctx, s)
	if err != nil {
		return end, err
	}
	defer func() { err = errors.Join(err, c.Remove()) }()
	f.step = name
	end, err = c.Run(ctx, name, f.line)
	f.end(err == nil && end.ExitCode != 0)
	return end, err
}

// analyze finds the last image and the run image. Buildpacks get a copy of the result:
// what they write into it does not decide which image the app is put on.
func (j *job) analyze(ctx context.Context) error {
	err := j.trusted(ctx, 1, "analyze", "analyzer", "-run-image", runImageName, "-previous-image", previousImage, outputImage)
	if err != nil {
		return err
	}
	content, err := readFile(ctx, j.private, dirTrusted+fileAnalyzed)
	if err != nil {
		return err
	}
	return j.shared.CopyIn(ctx, dirLayers, func(w *tar.Writer) error {
		return j.put(w, tar.Header{Name: fileAnalyzed[1:], Mode: 0o644}, content)
	})
}

// detect asks the buildpacks which of them fit.
func (j *job) detect(ctx context.Context) error {
	f := &filter{print: j.out.line, phase: detecting}
	end, err := j.untrusted(ctx, 2, "detect", "detector", f)
	switch {
	case err != nil:
		return err
	case end.OOM:
		return end.Failure(j.Commit.Short, step(2, "detect"))
	case end.ExitCode != 0:
		return &build.Error{Commit: j.Commit.Short, Step: step(2, "detect"), Output: f.tail, Reason: j.undetected(f, end)}
	}
	return j.checkGroup(ctx)
}

// checkGroup refuses image extensions: they change the builder or run image by a
// Dockerfile, which the lifecycle does not do for an OCI layout.
func (j *job) checkGroup(ctx context.Context) error {
	content, err := readFile(ctx, j.shared, dirLayers+"/group.toml")
	if err != nil {
		return err
	}
	var group struct {
		Extensions []struct {
			ID string `toml:"id"`
		} `toml:"group-extensions"`
	}
	if err := toml.Unmarshal(content, &group); err != nil {
		return fmt.Errorf("the builder image %s wrote a group.toml that cannot be read: %w", j.builder.name, err)
	}
	if len(group.Extensions) > 0 {
		return fmt.Errorf("the builder image %s uses the image extension %s, and extensions are not supported; choose a builder image without it",
			j.builder.name, group.Extensions[0].ID)
	}
	return nil
}

// restore brings back the layers that buildpacks kept.
func (j *job) restore(ctx context.Context) error { return j.trusted(ctx, 3, "restore", "restorer") }

// compile runs the buildpacks that fit.
func (j *job) compile(ctx context.Context) error {
	f := &filter{print: j.out.line, phase: building}
	end, err := j.untrusted(ctx, 4, "build", "builder", f)
	if err != nil || end.ExitCode == 0 {
		return err
	}
	failed := end.Failure(j.Commit.Short, step(4, "build"))
	failed.Output = f.tail
	if f.current != "" {
		failed.Step = "the buildpack " + f.current
	}
	if code, ok := f.exitCode(); ok && !end.OOM {
		failed.ExitCode = code
	} else if !end.OOM {
		failed.ExitCode, failed.Reason = 0, f.reason(end)+"; correct the buildpack, or choose another one"
	}
	return failed
}

// export makes the image in the layout.
func (j *job) export(ctx context.Context) error {
	return j.trusted(ctx, 5, "export", "exporter", "-launcher", "/cnb/lifecycle/launcher", "-report", dirTrusted+"/report.toml", outputImage)
}

// readFile reads a small file of a container.
func readFile(ctx context.Context, c *container.Container, name string) (content []byte, err error) {
	err = c.CopyOut(ctx, name, func(r *tar.Reader) error {
		h, err := r.Next()
		switch {
		case err != nil:
			return err
		case h.Typeflag != tar.TypeReg || h.Size > maxFile:
			return fmt.Errorf("cannot read %s: it is not a file, or it has more than %d bytes", name, maxFile)
		}
		content, err = io.ReadAll(r)
		return err
	})
	return content, err
}
