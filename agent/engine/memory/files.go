package memory

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dokku/agent/engine"
)

// ReadFiles implements Storage. Files of volumes have no owners or modes.
func (m *Engine) ReadFiles(ctx context.Context, source string, w io.Writer) error {
	data, err := call(ctx, m, func() (b []byte, err error) {
		if filepath.IsAbs(source) {
			return folderTar(source)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.volumeTar(source)
	}, "ReadFiles", source)
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

func folderTar(dir string) ([]byte, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("folder %s: %w", dir, engine.ErrNoSource)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close())
	return b.Bytes(), err
}

func (m *Engine) volumeTar(volume string) ([]byte, error) {
	if !m.hasVolume(volume) {
		return nil, fmt.Errorf("volume %s: %w", volume, engine.ErrNoSource)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b) // a bytes.Buffer takes all
	for _, at := range slices.Sorted(maps.Keys(m.volumes)) {
		if name, ok := strings.CutPrefix(at, volume+"/"); ok {
			w.WriteHeader(&tar.Header{Name: "./" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(m.volumes[at]))})
			io.WriteString(w, m.volumes[at])
		}
	}
	w.Close()
	return b.Bytes(), nil
}

// hasVolume reports whether a container has, or had, a volume. The caller holds m.mu.
func (m *Engine) hasVolume(volume string) bool {
	for at := range m.volumes {
		if strings.HasPrefix(at, volume+"/") {
			return true
		}
	}
	return slices.ContainsFunc(m.containers, func(p *process) bool {
		return slices.ContainsFunc(p.spec.Mounts, func(mount engine.Mount) bool { return mount.Source == volume })
	})
}

// WriteFiles implements Storage.
func (m *Engine) WriteFiles(ctx context.Context, source string, r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	_, err = call(ctx, m, func() (none struct{}, err error) {
		write := func(name, text string) error {
			path := filepath.Join(source, name)
			return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
		}
		if !filepath.IsAbs(source) {
			m.mu.Lock()
			defer m.mu.Unlock()
			write = func(name, text string) error { m.volumes = with(m.volumes, source+"/"+name, text); return nil }
		} else if _, err := os.Stat(source); err != nil {
			return none, fmt.Errorf("folder %s: %w", source, engine.ErrNoSource)
		}
		for files := tar.NewReader(bytes.NewReader(data)); ; {
			h, err := files.Next()
			if errors.Is(err, io.EOF) {
				return none, nil
			}
			if err != nil {
				return none, err
			}
			text, err := io.ReadAll(files)
			if err == nil && h.Typeflag == tar.TypeReg {
				err = write(filepath.Clean(h.Name), string(text))
			}
			if err != nil {
				return none, err
			}
		}
	}, "WriteFiles", source)
	return err
}

func with(m map[string]string, key, value string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}
