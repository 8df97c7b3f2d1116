package disk

import (
	"path/filepath"
	"strings"
)

func Within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+string(filepath.Separator))
}
