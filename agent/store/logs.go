package store

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// DeployLogs lists the deploys that have a log, ascending.
func (s *Store) DeployLogs(app string) []int {
	entries, err := os.ReadDir(s.File(app, "deploys"))
	if err != nil {
		return nil
	}
	var numbers []int
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".log")
		if n, err := strconv.Atoi(name); ok && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}
