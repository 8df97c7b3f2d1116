package build

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Builders are the builders of a server, in the order in which they are asked.
type Builders []Builder

// Choose returns the builder that a setting selects, else the first one that detects
// the revision, else the first one that takes it as a fallback. If there is none, the
// error says what each of them looked for, what the revision has, and what to do.
func (b Builders) Choose(ctx context.Context, r Request) (Builder, Choice, error) {
	if len(b) == 0 {
		return nil, Choice{}, errors.New("internal error: there is no builder")
	}
	if r.Selected != "" {
		return b.selected(ctx, r)
	}
	var missed []string
	for i, builder := range b {
		reason, ok, err := builder.Detect(ctx, r)
		if err != nil {
			return nil, Choice{}, err
		}
		if ok {
			return builder, Choice{Builder: builder.Name(), Reason: reason, Over: b[i+1:].others(ctx, r)}, nil
		}
		if reason != "" {
			missed = append(missed, reason)
		}
	}
	for _, builder := range b {
		f, ok := builder.(Fallback)
		if !ok {
			continue
		}
		if reason, ok, err := f.Fallback(ctx, r); err != nil || ok {
			return builder, Choice{Builder: builder.Name(), Reason: reason}, err
		}
	}
	if hint := b.hint(r); hint != "" {
		missed = append(missed, hint)
	}
	return nil, Choice{}, fmt.Errorf("cannot build %s: %s", r.Commit.Short, strings.Join(missed, "; "))
}

// selected returns the builder that a setting selects.
func (b Builders) selected(ctx context.Context, r Request) (Builder, Choice, error) {
	const fix = "dokku builder:set %s selected BUILDER selects another one, and without BUILDER the files of the revision decide"
	for _, builder := range b {
		if builder.Name() != r.Selected {
			continue
		}
		reason, ok, err := builder.Detect(ctx, r)
		if err == nil && !ok {
			err = fmt.Errorf("cannot build %s with %s, which builder:set selects: %s; "+fix, r.Commit.Short, r.Selected, reason, r.App)
		}
		if err != nil {
			return nil, Choice{}, err
		}
		return builder, Choice{Builder: r.Selected, Reason: reason, Selected: true}, nil
	}
	why := "this server builds with " + strings.Join(b.names(), ", ")
	return nil, Choice{}, fmt.Errorf("cannot build %s with %s, which builder:set selects: %s; "+fix, r.Commit.Short, r.Selected, why, r.App)
}

// Inspect chooses a builder as Build does, and has it look for mistakes in the files. It
// builds nothing. ports are those of Inspector; none if the builder is no Inspector.
func (b Builders) Inspect(ctx context.Context, r Request) (c Choice, ports []int, err error) {
	builder, choice, err := b.Choose(ctx, r)
	if err != nil {
		return Choice{}, nil, err
	}
	if i, ok := builder.(Inspector); ok {
		ports, err = i.Inspect(ctx, r)
	}
	return choice, ports, err
}

func (b Builders) names() (names []string) {
	for _, builder := range b {
		names = append(names, builder.Name())
	}
	return names
}

// others says which of the builders would build the revision too, and from what. One
// that cannot, for whatever reason, is no alternative.
func (b Builders) others(ctx context.Context, r Request) string {
	var list []string
	for _, builder := range b {
		if reason, ok, err := builder.Detect(ctx, r); err == nil && ok {
			list = append(list, from(builder.Name(), reason))
		}
	}
	return strings.Join(list, " or ")
}

// Build chooses a builder and builds the revision with it. The header and the
// result say which builder was chosen, and why.
func (b Builders) Build(ctx context.Context, r Request) (Result, error) {
	builder, choice, err := b.Choose(ctx, r)
	if err != nil {
		return Result{}, err
	}
	if r.Chosen != nil {
		if err := r.Chosen(choice); err != nil {
			return Result{Header: Header{Choice: choice}}, err
		}
	}
	ctx, cancel := limited(ctx, r)
	defer cancel()
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

// limited ends a build after the time that it may take.
func limited(ctx context.Context, r Request) (context.Context, context.CancelFunc) {
	if r.Limits.Time <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, r.Limits.Time, &SlowError{r.Limits.Time})
}

// SlowError says that a build took longer than it may.
type SlowError struct{ Limit time.Duration }

// Error names the limit.
func (e *SlowError) Error() string {
	return fmt.Sprintf("the build took longer than %s, which is the limit of this server; make it quicker, or on the server: dokku builder:set --global build-timeout SECONDS", e.Limit)
}
