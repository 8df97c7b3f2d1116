package proc

import (
	"cmp"
	"fmt"
	"os"
	"os/user"
	"regexp"
	"strconv"
	"syscall"
)

// Become switches from root to the owner of DOKKU_ROOT, and refuses other users.
func Become(root string) error {
	info, err := os.Stat(root)
	if err != nil {
		return fmt.Errorf("cannot use %s: %w (install.sh install creates it; DOKKU_ROOT names another folder)", root, err)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if owner == os.Geteuid() {
		return nil
	}
	name := strconv.Itoa(owner)
	u, err := user.LookupId(name)
	if err == nil {
		name = u.Username
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("cannot use %s, which belongs to the user %s: run it as root (sudo dokku COMMAND) or as %[2]s", root, name)
	}
	if err != nil {
		return fmt.Errorf("cannot become the owner of %s: %w", root, err)
	}
	return switchTo(u)
}

// PersonVar names the person for whom a process runs, where its user does not: the forced
// command sets it to the name of the ssh key, and root before it gives up its rights.
const PersonVar = "DOKKU_USER"

// Person returns who runs this process: an ssh key's name, or a user of this server.
func Person(getenv func(string) string) string {
	if name := cmp.Or(getenv(PersonVar), getenv("SUDO_USER")); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// switchTo replaces root's rights by those of a user. The user's groups give access to
// Docker.
func switchTo(u *user.User) error {
	person := Person(os.Getenv)
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return fmt.Errorf("cannot become %s: %w", u.Username, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return fmt.Errorf("cannot become %s: %w", u.Username, err)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("cannot find the groups of %s: %w", u.Username, err)
	}
	groups := []int{gid}
	for _, id := range ids {
		if g, err := strconv.Atoi(id); err == nil && g != gid {
			groups = append(groups, g)
		}
	}
	for _, err := range []error{syscall.Setgroups(groups), syscall.Setgid(gid), syscall.Setuid(uid)} {
		if err != nil {
			return fmt.Errorf("cannot become %s: %w", u.Username, err)
		}
	}
	// Git fails if it cannot read the working folder, and this one may be root's.
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("cannot become %s: %w", u.Username, err)
	}
	for k, v := range map[string]string{"HOME": u.HomeDir, "USER": u.Username, "LOGNAME": u.Username, PersonVar: person} {
		os.Setenv(k, v)
	}
	return nil
}

var terminalType = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$`)

// TerminalType returns a value of TERM if it is safe to pass on to a program, and ""
// otherwise.
func TerminalType(term string) string {
	if !terminalType.MatchString(term) {
		return ""
	}
	return term
}
