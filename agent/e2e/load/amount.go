package load

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// amounts are measurements by name.
type amounts map[string]amount

// An amount may grow by slack, and not above most if that is not 0.
type amount struct{ value, slack, most int }

func (a amounts) exceed(before amounts) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(a)) {
		now := a[name]
		if grew := now.value - before[name].value; grew > now.slack {
			errs = append(errs, fmt.Errorf("%s grew by %d from %d to %d, at most by %d is right",
				name, grew, before[name].value, now.value, now.slack))
		}
		if now.most > 0 && now.value > now.most {
			errs = append(errs, fmt.Errorf("%s: %d, at most %d are kept", name, now.value, now.most))
		}
	}
	return errors.Join(errs...)
}

// Compared is a table of the amounts before and after.
func Compared(before, after amounts) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(after)) {
		fmt.Fprintf(&b, "%-50s %9d %9d\n", name, before[name].value, after[name].value)
	}
	return b.String()
}
