package archive

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"time"
	"unicode"
)

// Version is the version of the format that this program writes, and the highest
// that it reads.
const Version = 1

// format marks a manifest of ours.
const format = "dokku backup"

// manifestName is the first member of the tar.
const manifestName = "manifest.json"

const (
	// maxManifest bounds the manifest, in bytes: about 250,000 files.
	maxManifest = 64 << 20
	// maxName bounds the name of a member, as the kernel bounds a path.
	maxName = 4096
)

// Manifest describes a backup.
type Manifest struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// ID identifies the backup, so that a second restore knows its apps.
	ID      string    `json:"id"`
	Dokku   string    `json:"dokku"` // the program that made it
	Host    string    `json:"host"`
	Created time.Time `json:"created"`
	Images  bool      `json:"images"` // it has the apps' images
	Apps    []App     `json:"apps"`
	Files   []File    `json:"files"`
}

// App describes an app of the backup.
type App struct {
	Name     string `json:"name"`
	Release  int    `json:"release,omitempty"` // 0: never deployed
	Revision string `json:"revision,omitempty"`
	Stopped  bool   `json:"stopped,omitempty"`
}

// File is a member after the manifest.
type File struct {
	Name   string `json:"name"` // with slashes, and without ".."
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Size returns the size of all files in bytes.
func (m Manifest) Size() (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// check returns an error if this program cannot have written the manifest.
func (m Manifest) check() error {
	switch {
	case m.Format != format:
		return errForeign
	case m.Version > Version:
		return fmt.Errorf("it has version %d, this dokku knows up to %d: restore it with the dokku that made it (%.40q) or a newer one",
			m.Version, Version, m.Dokku)
	case m.Version < 1 || m.ID == "" || len(m.ID) > 64:
		return errForeign
	}
	seen, folders := map[string]bool{}, map[string]bool{}
	room := int64(1) << 50
	for _, f := range m.Files {
		if sum, err := hex.DecodeString(f.SHA256); err != nil || len(sum) != 32 || f.Size < 0 || f.Size > room {
			return fmt.Errorf("its manifest has an invalid entry for %.80q", f.Name)
		}
		room -= f.Size
		if !ValidName(f.Name) || seen[f.Name] || folders[f.Name] {
			return fmt.Errorf("its manifest names %.80q, which cannot be the name of a file in it", f.Name)
		}
		seen[f.Name] = true
		for at := strings.LastIndexByte(f.Name, '/'); at > 0; at = strings.LastIndexByte(f.Name[:at], '/') {
			if folders[f.Name[:at]] = true; seen[f.Name[:at]] {
				return fmt.Errorf("its manifest names %.80q, which is a folder and a file", f.Name[:at])
			}
		}
	}
	return nil
}

// ValidName accepts printable paths that stay below the folder they are joined to.
func ValidName(name string) bool {
	if !fs.ValidPath(name) || name == "." || name == manifestName || len(name) > maxName {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == '\\' || r == 0xfffd }) < 0
}
