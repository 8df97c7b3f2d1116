package sources

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
)

// addFolder adds the files of a folder of the server, without following links. os.Root
// keeps every file that it opens inside the folder.
func addFolder(w *objects, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if name == "Dockerfile" {
			return entryError(name, errors.New("the image takes the place of a Dockerfile: remove it, or push the folder"))
		}
		if _, err := clean(name); err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch mode := info.Mode(); mode.Type() {
		case fs.ModeDir:
			if err := w.admit(name, 0); err != nil {
				return err
			}
			return w.put(name, nil)
		case fs.ModeSymlink:
			target, err := root.Readlink(name)
			if err == nil {
				err = w.admit(name, int64(len(target)))
			}
			if err != nil {
				return err
			}
			return w.link(name, name, target)
		case 0:
			return addPlain(w, root, name, info)
		}
		return entryError(path.Clean(name), errors.New("it is a device, a pipe or a socket, not a file"))
	})
}

func addPlain(w *objects, root *os.Root, name string, info fs.FileInfo) error {
	if err := w.admit(name, info.Size()); err != nil {
		return err
	}
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return w.add(name, fileMode(info.Mode()), info.Size(), io.Reader(f))
}
