package hooks

import (
	"fmt"
	"net/netip"
	"os/user"
	"strconv"
	"strings"
)

// remote returns what the client's person types before a dokku command: "ssh
// dokku@example.com". connection is sshd's SSH_CONNECTION: the client's address and port,
// then the server's. "" means that the server cannot tell.
//
// No protocol tells the server the name that the client used. It is most likely the
// global domain, as Dokku's documentation has it; without one, the address to which the
// client connected reaches this server. Rejected: the machine's own name, which often
// leads nowhere outside, and a query of DNS, which may take seconds.
func remote(env Env, connection string) string {
	f := strings.Fields(connection)
	if len(f) != 4 {
		return ""
	}
	addr, err := netip.ParseAddr(f[2])
	port, portErr := strconv.ParseUint(f[3], 10, 16)
	u, userErr := user.Current()
	if err != nil || portErr != nil || userErr != nil {
		return ""
	}
	host := addr.String()
	if srv, err := env.Open(env.Root); err == nil {
		if set, err := srv.Settings(); err == nil && len(set.Domains) > 0 {
			host = set.Domains[0]
		}
	}
	if port == defaultSSHPort {
		return fmt.Sprintf("ssh %s@%s", u.Username, host)
	}
	return fmt.Sprintf("ssh -p %d %s@%s", port, u.Username, host)
}

// defaultSSHPort is the port that ssh uses without -p.
const defaultSSHPort = 22
