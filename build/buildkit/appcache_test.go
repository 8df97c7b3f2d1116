package buildkit

import (
	"context"
	"strings"
	"testing"

	control "github.com/moby/buildkit/api/services/control"
	"google.golang.org/grpc"
)

// records is a BuildKit with these records.
type records struct {
	control.ControlClient
	descriptions []string
}

func (r records) DiskUsage(context.Context, *control.DiskUsageRequest, ...grpc.CallOption) (*control.DiskUsageResponse, error) {
	var usage control.DiskUsageResponse
	for _, d := range r.descriptions {
		usage.Record = append(usage.Record, &control.UsageRecord{ID: d, Description: d})
	}
	return &usage, nil
}

// TestCachesOfAnApp: a cache that a step has mounted stays on the disk when its app is
// destroyed, gigabytes by a push of some kilobytes. It goes with the app, and no other app's
// does, whatever its steps and ids say.
func TestCachesOfAnApp(t *testing.T) {
	const own = `cached mount /c from exec /bin/sh -c dd if=/dev/zero of=/c/big with id "hello//c"`
	list, err := mountedBy(t.Context(), records{descriptions: []string{
		own,
		`cached mount /c from exec /bin/sh -c make with id "hello-2//c"`,
		`cached mount /c from exec /bin/sh -c echo ' with id "hello//c"' with id "other//c"`,
		`cached mount /c from exec /bin/sh -c make with id "other/\\" with id \\"hello//c"`,
		`cached mount /c from exec /bin/sh -c make`, // of an engine that does not say the id
		`mount / from exec /bin/sh -c echo ' with id "hello//c"'`,
		`local source for context`,
	}}, "hello")
	var got []string
	for _, r := range list {
		got = append(got, r.ID)
	}
	if err != nil || strings.Join(got, "\n") != own {
		t.Errorf("%v\n%s", err, strings.Join(got, "\n"))
	}
}
