package app

import (
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A FrontDoor is another server that serves visitors with this server's routes and
// certificates.
type FrontDoor struct {
	// Address is where its sshd answers: [USER@]HOST[:PORT].
	Address string `json:"address"`
	// HostKey is the key of its sshd, as a line of authorized_keys without a comment.
	HostKey string `json:"host_key"`
	// From is the address that its requests to this server come from, and Back the one at
	// which it finds this server.
	From string `json:"from,omitempty"`
	Back string `json:"back,omitempty"`
	// Disabled: nothing is sent to it, and nobody waits for it.
	Disabled bool `json:"disabled,omitempty"`
	// LeaveOut is after how many seconds without an answer changes go on without it; 0: never.
	LeaveOut int `json:"leave_out,omitempty"`
}

// Bounds of FrontDoor.LeaveOut, in seconds: the agent asks twice a minute.
const (
	MinLeaveOut = 30
	MaxLeaveOut = 24 * 60 * 60
)

var (
	doorName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	doorUser = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
	doorHost = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.:-]{0,252}[A-Za-z0-9])?$`)
)

// CheckDoorName reports why a front door cannot have a name.
func CheckDoorName(name string) error {
	if !doorName.MatchString(name) {
		return fmt.Errorf("invalid name %.80q of a front door: use lower case letters, digits and '-', at most 32", name)
	}
	return nil
}

// ParseDoorAddress reads the address of a front door, [USER@]HOST[:PORT]. The defaults are
// the user dokku and the port 22. An IPv6 address with a port stands in brackets.
func ParseDoorAddress(text string) (user, hostport string, err error) {
	bad := func(why string) (string, string, error) {
		return "", "", fmt.Errorf("invalid address %.80q of a front door: %s; give [USER@]HOST[:PORT], such as 203.0.113.2", text, why)
	}
	user, host := "dokku", text
	if before, after, ok := strings.Cut(text, "@"); ok {
		user, host = before, after
	}
	if !doorUser.MatchString(user) {
		return bad("it has no user before the @")
	}
	port := "22"
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, p
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return bad("a port is a number from 1 to 65535")
	}
	if !doorHost.MatchString(host) && net.ParseIP(host) == nil {
		return bad("its host is neither a name nor an address")
	}
	return user, net.JoinHostPort(host, port), nil
}

// Doors returns the names of the front doors, sorted.
func (s Settings) Doors() []string { return slices.Sorted(maps.Keys(s.FrontDoors)) }
