package agent

import (
	"path/filepath"
	"strings"
)

func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+string(filepath.Separator))
}
