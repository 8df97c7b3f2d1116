package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dokku/agent/store"
)

// A Host is where the service is set up. Only root may do that.
type Host struct {
	Etc  string // /etc
	Name string // of the service; "" is that of the owner of DOKKU_ROOT: "dokku-registry"
	// Systemd: systemd runs, so the service is its unit; else it is an init script.
	Systemd bool
}

// ThisHost is the real host.
func ThisHost() Host {
	_, err := os.Stat("/run/systemd/system")
	return Host{Etc: "/etc", Systemd: err == nil}
}

// ErrNoProgram says that the distribution's registry is not installed.
var ErrNoProgram = errors.New(Program + " is not installed: apt-get install " + Program +
	", then stop its own service, which has neither TLS nor a password: systemctl disable --now " + Program)

// Install makes this server's engine trust the registry, and starts the service, or restarts
// it if its settings have changed.
func (h Host) Install(ctx context.Context, s *store.Store, v Served, changed bool) error {
	program, err := exec.LookPath(Program)
	if err != nil {
		return ErrNoProgram
	}
	owner, err := ownerOf(s.Root)
	if err != nil {
		return err
	}
	if h.Name == "" {
		h.Name = owner + "-registry"
	}
	trust := filepath.Join(h.Etc, "docker", "certs.d", v.Server())
	if err := os.MkdirAll(trust, 0o755); err != nil {
		return err
	}
	if err := s.Disk.Replace(filepath.Join(trust, "ca.crt"), v.Authority, 0o644); err != nil {
		return err
	}
	path, text, mode := filepath.Join(h.Etc, "init.d", h.Name), h.script(program, owner, dir(s, configFile)), os.FileMode(0o755)
	if h.Systemd {
		path, text, mode = filepath.Join(h.Etc, "systemd", "system", h.Name+".service"), unit(program, owner, dir(s, configFile)), 0o644
	}
	if old, err := os.ReadFile(path); err != nil || string(old) != text {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := s.Disk.Replace(path, []byte(text), mode); err != nil {
			return err
		}
		changed = true
	}
	return h.start(ctx, path, v, changed)
}

// start starts the service and waits until it answers.
func (h Host) start(ctx context.Context, path string, v Served, changed bool) error {
	verb := "start"
	if changed {
		verb = "restart"
	}
	lines := [][]string{{path, verb}}
	if h.Systemd {
		lines = [][]string{{"systemctl", "daemon-reload"}, {"systemctl", "-q", "enable", h.Name}, {"systemctl", verb, h.Name}}
	} else if _, err := exec.LookPath("update-rc.d"); err == nil && h.Etc == "/etc" {
		lines = append([][]string{{"update-rc.d", h.Name, "defaults"}}, lines...)
	}
	for _, argv := range lines {
		if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("cannot start the registry (%s): %w\n%s", strings.Join(argv, " "), err, strings.TrimSpace(string(out)))
		}
	}
	var err error
	for range 300 { // a busy server takes its time
		if err = v.Answers(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the registry does not answer: %w; see %s", err, h.log())
}

func (h Host) log() string {
	if h.Systemd {
		return "journalctl -u " + h.Name
	}
	return "/var/log/" + h.Name + ".log"
}

func ownerOf(root string) (string, error) {
	info, err := os.Stat(root)
	if err != nil {
		return "", err
	}
	u, err := user.LookupId(strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid)))
	if err != nil {
		return "", fmt.Errorf("cannot find the owner of %s: %w", root, err)
	}
	return u.Username, nil
}

func unit(program, owner, config string) string {
	return fmt.Sprintf(`# Written by dokku registry:serve.
[Unit]
Description=registry of images of dokku
After=network.target

[Service]
User=%s
ExecStart=%s serve %s
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
`, owner, program, config)
}

// script is an init script as the agent's, which starts the registry again when it ends.
func (h Host) script(program, owner, config string) string {
	return strings.NewReplacer("NAME", h.Name, "OWNER", owner, "PROGRAM", program, "CONFIG", config).Replace(`#!/bin/sh
# Written by dokku registry:serve.
### BEGIN INIT INFO
# Provides:          NAME
# Required-Start:    $remote_fs $network
# Required-Stop:     $remote_fs $network
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: registry of images of dokku
### END INIT INFO
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
daemon="start-stop-daemon --oknodo --pidfile /run/NAME.pid --user OWNER"
case "${1:-}" in
  start) $daemon --start --background --make-pidfile --chuid OWNER --chdir / \
    --output /var/log/NAME.log --startas "$(readlink -f "$0")" -- respawn ;;
  stop) $daemon --stop --retry TERM/30/KILL/5 --remove-pidfile ;;
  restart | force-reload) "$0" stop && "$0" start ;;
  status) $daemon --status ;;
  respawn) # runs as OWNER
    trap 'kill "$child" 2>/dev/null; wait "$child"; exit' TERM
    while :; do
      PROGRAM serve CONFIG &
      child=$!
      wait "$child"
      sleep 2
    done ;;
  *) echo "Usage: $0 start|stop|restart|status" >&2; exit 2 ;;
esac
`)
}
