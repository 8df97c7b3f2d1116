package checks

// resolved is a CHECKS file over its defaults.
type resolved struct {
	Checks   []Check
	Settings Settings
}

// parseWith parses a CHECKS file and resolves its settings.
func parseWith(src []byte, defaults Settings) (resolved, []Warning, error) {
	f, warnings, err := ParseCHECKS(src)
	if err != nil {
		return resolved{}, warnings, err
	}
	list, s, err := f.Over(defaults)
	if err != nil {
		return resolved{}, warnings, err
	}
	return resolved{list, s}, warnings, nil
}
