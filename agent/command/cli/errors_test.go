package cli

import (
	"bytes"
	"context"
	"fmt"
	"testing"
)

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs bytes.Buffer
	if code := Report(ctx, &errs, fmt.Errorf("cannot wait: %w", context.Canceled)); code != 130 {
		t.Errorf("exit code %d", code)
	}
	if errs.String() != " !     Interrupted\n" {
		t.Errorf("%q", errs.String())
	}
}
