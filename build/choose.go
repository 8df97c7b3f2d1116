package build

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Builders are the builders of a server, in the order in which they are asked.
type Builders []Builder

// Choose returns the first builder that can build the revision. If none can, the
// error says what each of them looked for.
func (b Builders) Choose(ctx context.Context, r Request) (Builder, Choice, error) {
	if len(b) == 0 {
		return nil, Choice{}, errors.New("internal error: there is no builder")
	}
	var missed []string
	for _, builder := range b {
		reason, ok, err := builder.Detect(ctx, r)
		if err != nil {
			return nil, Choice{}, err
		}
		if ok {
			return builder, Choice{builder.Name(), reason}, nil
		}
		missed = append(missed, reason)
	}
	return nil, Choice{}, fmt.Errorf("cannot build %s: %s", r.Commit.Short, strings.Join(missed, "; "))
}

// Build chooses a builder and builds the revision with it. The header and the
// result say which builder was chosen, and why.
func (b Builders) Build(ctx context.Context, r Request) (Result, error) {
	builder, choice, err := b.Choose(ctx, r)
	if err != nil {
		return Result{}, err
	}
	if header := r.Header; header != nil {
		r.Header = func(h Header) {
			h.Choice = choice
			header(h)
		}
	}
	result, err := builder.Build(ctx, r)
	result.Choice = choice
	return result, err
}
