package services

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/store"
)

// Around is called with what interrupts a service, and may do something before and after it.
type Around func(s *Service, work func() error) error

// Upgrade gives a service another image or other options. Data that the new version does not
// read are copied: the former ones stay, see Back and Forget. around, if it is not nil, is
// called once it is clear that there is something to do. apps are those that use the service,
// for messages.
func (m *Manager) Upgrade(ctx context.Context, k Kind, name string, o Options, log event.Log, apps []string, around Around) error {
	return m.with(ctx, k, name, "upgrade", log, func(s *Service) error {
		next := s.Container
		if image, _ := splitImage(next.Image); image == k.Image && o.Version == "" && o.Image == "" {
			o.Version = k.Version
		}
		if err := o.apply(k, &next); err != nil {
			return err
		}
		properties := maps.Clone(s.Properties)
		if len(o.Properties) > 0 {
			properties = app.Merged(properties, o.Properties)
		}
		next.Networks = networks(properties)
		if same(next, s.Container) {
			log.Step("Service %s already running %s", name, next.Image)
			return nil
		}
		copies, err := k.copies(s, next)
		if err != nil {
			return err
		}
		if err := m.ensureImage(ctx, k, next.Image, log); err != nil {
			return err
		}
		if copies {
			err = m.upgradeByCopy(ctx, k, s, next, properties, log, apps, around)
		} else {
			log.Result("Upgrading %s to %s", name, next.Image)
			err = around.do(s, func() error {
				log.Result("Stopping %s", name)
				s.Properties = properties
				return m.replace(ctx, k, s, next)
			})
		}
		if err == nil {
			log.Result("Done")
		}
		return err
	})
}

func (a Around) do(s *Service, work func() error) error {
	if a == nil {
		return work()
	}
	return a(s, work)
}

// SetWaiting writes into the record which apps wait for the end of an upgrade. The caller
// holds the service.
func (m *Manager) SetWaiting(s *Service, apps []string) error {
	next := *s
	if next.Waiting = apps; len(apps) == 0 && len(s.Waiting) == 0 {
		return nil
	}
	err := m.save(&next)
	if err == nil {
		s.Waiting = apps
	}
	return err
}

// same reports whether two containers run alike.
func same(a, b Container) bool {
	return a.Image == b.Image && slices.Equal(a.Env, b.Env) && a.Options == b.Options && a.Memory == b.Memory && a.ShmSize == b.ShmSize &&
		slices.Equal(a.Networks, b.Networks)
}

// copies reports whether the image of the next container cannot use the data of a service, so
// that they have to be copied. An error says that they cannot be.
func (k Kind) copies(s *Service, next Container) (bool, error) {
	old, want := k.format(s.Container.Image), k.format(next.Image)
	n := min(len(old), len(want)) // of "latest" nothing is known, of 10 as much as of 10.11
	order := slices.Compare(want[:n], old[:n])
	switch {
	case k.InPlace || order == 0 || s.Container.Volume == "":
		return false, nil
	case order < 0:
		hint := ""
		if s.Previous != nil && slices.Equal(k.format(s.Previous.Container.Image), want) {
			hint = fmt.Sprintf("\nTo return to the data as they were before the upgrade: dokku %s:upgrade %s --back", k.Name, s.Name)
		}
		return false, fmt.Errorf("%s %s is older than the data of %s, which are of version %s: it reads neither them nor a dump of them%s",
			k.Title, numbers(want), s.Name, numbers(old), hint)
	case s.Previous != nil:
		return false, fmt.Errorf("the data that %s had before its last upgrade are still kept, in the volume %s of %s; to remove them: dokku %s:upgrade %[1]s --forget",
			s.Name, s.Previous.Container.Volume, s.Previous.Container.Image, k.Name)
	case len(k.Upgrade.Dump.Command) == 0 && (!k.Dumps() || k.Load.Offline):
		_, version := splitImage(next.Image)
		return false, fmt.Errorf("%s %s does not use the data of version %s. To move them into a new service:\n"+
			"  dokku %s:clone %s %[5]s-next --image-version %[6]s", k.Title, numbers(want), numbers(old), k.Name, s.Name, version)
	}
	return true, nil
}

func numbers(list []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(list), "[]"), " ", ".")
}

// upgradeByCopy loads the data into a new volume, which takes the place of the present one
// once both have the same.
func (m *Manager) upgradeByCopy(ctx context.Context, k Kind, s *Service, next Container, properties map[string]string, log event.Log, apps []string, around Around) error {
	if err := m.roomForCopy(ctx, k, s); err != nil {
		return err
	}
	next.Attempt = app.NewAttempt()
	next.Volume = s.Ref().ContainerName() + "." + next.Attempt
	k.announce(s, next, log, apps, around != nil)
	// The record names the new volume first: whoever finds it undoes what a kill leaves.
	begun := *s
	begun.Next = &next
	if err := m.save(&begun); err != nil {
		return err
	}
	*s = begun
	to, err := m.prepareCopy(ctx, k, s, log)
	if err == nil {
		err = around.do(s, func() error {
			err := m.copyInto(ctx, k, s, to, log)
			if err == nil {
				err = m.turn(ctx, k, s, next, properties)
			}
			if s.Next != nil {
				return m.undone(ctx, k, s, err)
			}
			return err
		})
	}
	if s.Next != nil {
		return m.undone(ctx, k, s, err)
	}
	return err
}

// announce says what an upgrade by a copy means for those who use the service.
func (k Kind) announce(s *Service, next Container, log event.Log, apps []string, stopped bool) {
	log.Result("Upgrading %s from %s to %s", s.Name, s.Container.Image, next.Image)
	log.Detail("%s %s does not use the data of version %s, so they are copied by dump and load", k.Title, numbers(k.format(next.Image)), numbers(k.format(s.Container.Image)))
	meanwhile := ""
	switch {
	case len(apps) > 0 && stopped:
		meanwhile = ", and the linked apps are stopped: " + strings.Join(apps, ", ")
	case len(apps) > 0:
		meanwhile = ", and the linked apps get errors (" + strings.Join(apps, ", ") + "); --restart-apps true stops them instead"
	}
	log.Detail("Nobody can connect to %s during the copy%s", s.Name, meanwhile)
	log.Detail("The old data stay in the volume %s: dokku %s:upgrade %s --back returns to them, --forget removes them", s.Container.Volume, k.Name, s.Name)
}

// undone undoes an upgrade that has failed.
func (m *Manager) undone(ctx context.Context, k Kind, s *Service, why error) error {
	if err := m.undoCopy(context.WithoutCancel(ctx), k, s); err != nil {
		return fmt.Errorf("%w\n%s does not run again as before, and the agent will retry: %w", why, s.Ref(), err)
	}
	return fmt.Errorf("%w\n%s is as before", why, s.Ref())
}

// undoCopy brings a service back to what it was before an upgrade by a copy began. It can be
// repeated.
func (m *Manager) undoCopy(ctx context.Context, k Kind, s *Service) error {
	if err := m.removeAside(ctx, s.Ref(), time.Second); err != nil {
		return err
	}
	if !s.Stopped {
		if err := m.run(ctx, k, s); err != nil {
			return err
		}
	}
	undone := *s
	undone.Next, undone.Unneeded = nil, append(slices.Clone(s.Unneeded), *s.Next)
	if err := m.save(&undone); err != nil {
		return err
	}
	*s = undone
	_ = m.dropVolumes(ctx, k, s) // the agent removes them later
	return nil
}

// turn makes next the service's container, and keeps the present one with its data. The rename
// of the record decides, before anybody can write into next: what is written there stays. If
// next does not start, s is as it was, but does not run.
func (m *Manager) turn(ctx context.Context, k Kind, s *Service, next Container, properties map[string]string) error {
	was, turned := *s, *s
	turned.Container, turned.Next, turned.Properties = next, nil, properties
	turned.Previous = &Previous{Container: was.Container, Since: time.Now().UTC().Truncate(time.Second)}
	err := m.save(&turned)
	unsynced := new(store.UnsyncedError)
	if err != nil && !errors.As(err, &unsynced) {
		return err
	}
	*s = turned
	if s.Stopped {
		return err
	}
	failed := m.run(context.WithoutCancel(ctx), k, s)
	if failed == nil {
		return err
	}
	if back := m.save(&was); back != nil && !errors.As(back, &unsynced) {
		return fmt.Errorf("%w\nthe agent will retry, and dokku %s:upgrade %s --back returns to the former data: %w", failed, k.Name, s.Name, back)
	}
	*s = was
	return failed
}

// Back returns to the data that a service had before its last upgrade by a copy. The present
// ones are kept in turn, so that the same command returns to them.
func (m *Manager) Back(ctx context.Context, k Kind, name string, log event.Log, around Around) error {
	return m.with(ctx, k, name, "upgrade", log, func(s *Service) error {
		if s.Previous == nil {
			return nothingKept(k, name)
		}
		present, next := s.Container, s.Previous.Container
		next.Attempt, next.Ports, next.Networks = app.NewAttempt(), present.Ports, networks(s.Properties)
		next.Restricted = present.Restricted
		if err := m.ensureImage(ctx, k, next.Image, log); err != nil {
			return err
		}
		log.Result("Going back from %s to %s", present.Image, next.Image)
		log.Detail("What was written since %s stays in the volume %s: the same command returns to it, --forget removes it",
			s.Previous.Since.Format(time.RFC3339), present.Volume)
		err := around.do(s, func() error {
			err := m.turn(ctx, k, s, next, s.Properties)
			if err == nil || s.Container.Attempt == next.Attempt {
				return err
			}
			if again := m.run(context.WithoutCancel(ctx), k, s); again != nil {
				return fmt.Errorf("%w\n%s does not run again as before, and the agent will retry: %w", err, s.Ref(), again)
			}
			return fmt.Errorf("%w\n%s runs as before", err, s.Ref())
		})
		if err == nil {
			log.Result("Done")
		}
		return err
	})
}

// Forget removes the data that an upgrade by a copy, or the way back from it, has kept.
func (m *Manager) Forget(ctx context.Context, k Kind, name string, log event.Log) error {
	return m.with(ctx, k, name, "upgrade", log, func(s *Service) error {
		if s.Previous == nil {
			return nothingKept(k, name)
		}
		former := s.Previous.Container
		forgotten := *s
		forgotten.Previous, forgotten.Unneeded = nil, append(slices.Clone(s.Unneeded), former)
		if err := m.save(&forgotten); err != nil {
			return err
		}
		*s = forgotten
		if err := m.dropVolumes(context.WithoutCancel(ctx), k, s); err != nil {
			return fmt.Errorf("%w\nthe agent will retry", err)
		}
		log.Result("Removed the data of %s in the volume %s", former.Image, former.Volume)
		return nil
	})
}

func nothingKept(k Kind, name string) error {
	return fmt.Errorf("%s service %s has no former data: none of its upgrades has copied them, or they were removed", k.Title, name)
}
