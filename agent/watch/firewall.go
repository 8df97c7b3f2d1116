package watch

import (
	"context"
	"errors"
	"time"

	"dokku/agent/engine"
	"dokku/agent/firewall"
)

// rulesLook is the interval at which the agent looks whether the rules of the firewall are in the
// kernel: "nft flush ruleset" and the like remove them, and no plain user is told.
const rulesLook = time.Minute

// firewall keeps the rules in the kernel. They follow events of containers and changes of
// apps within a second or two.
func (w *Controller) firewall(ctx context.Context) {
	t := time.NewTicker(Tick)
	defer t.Stop()
	var looked time.Time
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		look := time.Since(looked) >= rulesLook
		if !w.moved.Swap(false) && !look {
			continue
		}
		err := w.filter(ctx, look)
		if look {
			looked = time.Now()
		}
		text := ""
		if err != nil && ctx.Err() == nil && !errors.Is(err, firewall.ErrMissing) && !errors.Is(err, engine.ErrUnreachable) {
			text = err.Error()
		}
		if text != said && text != "" {
			w.log.Warn("The containers of apps may reach ports of this server: %s", text)
		}
		said = text
	}
}

// filter has the rules follow the apps. With look, it also puts back what is gone.
func (w *Controller) filter(ctx context.Context, look bool) error {
	set, err := w.Server.Env.Store.Settings()
	if err != nil || w.Server.Env.Firewall == nil {
		return err
	}
	to := w.Server.Env.Firewall(set)
	if to == nil {
		return nil
	}
	gone := false
	if look && len(w.Server.Env.Filtering().Bridges) > 0 {
		err := to.Check(ctx, w.Server.Env.Filtering().Rules)
		if gone = err != nil && ctx.Err() == nil; gone && !errors.Is(err, firewall.ErrMissing) {
			w.log.Warn("The firewall of this server has lost the rules for apps' containers, and gets them again: %s", err)
		}
	}
	return w.Server.Filter(ctx, gone)
}
