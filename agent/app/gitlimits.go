package app

import (
	"fmt"
	"strconv"

	"dokku/agent/event"
	"dokku/build/source"
)

// Budgets of what a push may bring, which git:set sets for an app and for the server. All
// are numbers: of bytes (size, length), or of things.
const (
	PropFileSize    = "file-max-size"
	PropTreeSize    = "tree-max-size"
	PropTreeFiles   = "tree-max-files"
	PropTreeDepth   = "tree-max-depth"
	PropDeltaSize   = "delta-max-size"
	PropPackObjects = "pack-max-objects"
	PropPushRefs    = "push-max-refs"
	PropAllRefs     = "repository-max-refs"
	PropRefLength   = "ref-max-length"
	PropRefDepth    = "ref-max-depth"
)

// A GitBudget is a budget with its default and the highest value that makes sense.
type GitBudget struct {
	Name          string
	Default, Most int64
}

// GitBudgets are the budgets of pushes. The highest values are those at which git and this
// program still work on a usual server. A folder inside a folder is a call inside a call.
var GitBudgets = []GitBudget{
	{PropFileSize, source.DefaultLimits.Blob, 1 << 40},
	{PropTreeSize, source.DefaultLimits.Total, 1 << 40},
	{PropTreeFiles, int64(source.DefaultLimits.Files), 5_000_000},
	{PropTreeDepth, int64(source.DefaultLimits.Depth), 1000},
	{PropDeltaSize, source.DefaultPackLimits.Delta, 1 << 32},
	{PropPackObjects, int64(source.DefaultPackLimits.Objects), 100_000_000},
	{PropPushRefs, 1000, 100_000},
	{PropAllRefs, 5000, 1_000_000},
	{PropRefLength, 255, 1000},
	{PropRefDepth, 16, 64},
}

// GitBudget returns a budget: the app's, else the server's, else the default. An invalid
// value, which somebody must have written by hand, is an error.
func (v View) GitBudget(name string) (int64, error) {
	for _, b := range GitBudgets {
		if b.Name != name {
			continue
		}
		value := v.State.Git[name]
		if value == "" {
			value = v.Settings.Git[name]
		}
		if value == "" {
			return b.Default, nil
		}
		if err := b.Check(value); err != nil {
			return 0, fmt.Errorf("cannot use %s %q: %w; correct it: dokku git:set %s %[1]s NUMBER", name, event.OneLine(value), err, v.Name)
		}
		return strconv.ParseInt(value, 10, 64)
	}
	return 0, fmt.Errorf("no budget is called %q", name)
}

// Check checks a value of the budget.
func (b GitBudget) Check(value string) error {
	if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < 1 || n > b.Most {
		return fmt.Errorf("it has to be a number from 1 to %d", b.Most)
	}
	return nil
}

// TreeLimits returns the budgets of the files of a revision.
func (v View) TreeLimits() (l source.Limits, err error) {
	l = source.DefaultLimits
	for _, b := range []struct {
		name string
		to   func(int64)
	}{
		{PropFileSize, func(n int64) { l.Blob = n }},
		{PropTreeSize, func(n int64) { l.Total = n }},
		{PropTreeFiles, func(n int64) { l.Files = int(n) }},
		{PropTreeDepth, func(n int64) { l.Depth = int(n) }},
	} {
		n, err := v.GitBudget(b.name)
		if err != nil {
			return l, err
		}
		b.to(n)
	}
	return l, nil
}

// PackLimits returns the budgets of the objects of a push.
func (v View) PackLimits() (l source.PackLimits, err error) {
	l.Blob, err = v.GitBudget(PropFileSize)
	if err == nil {
		l.Delta, err = v.GitBudget(PropDeltaSize)
	}
	if err != nil {
		return l, err
	}
	n, err := v.GitBudget(PropPackObjects)
	l.Objects = int(n)
	return l, err
}
