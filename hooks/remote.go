package hooks

import (
	"fmt"
	"net/netip"
	"os/user"
	"strconv"
	"strings"

	"dokku/agent/app"
)

// remote returns what the client's person types before a dokku command: "ssh
// dokku@example.com". connection is sshd's SSH_CONNECTION: the client's address and port,
// then the server's. "" means that the server cannot tell.
//
// No protocol tells the server the name that the client used. A public address to which
// the client connected reaches this server. A private one may be behind another router:
// then the name is most likely the global domain, as Dokku's documentation has it. A domain
// alone would not do, since often only the names below it lead here. Rejected: the
// machine's own name, which often leads nowhere outside, and a query of DNS, which may take
// seconds.
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
	host := addr.Unmap().String()
	if app.IsPublic(addr.Unmap()) {
		return sshTo(u.Username, host, port)
	}
	if srv, err := env.Open(env.Root); err == nil {
		if set, err := srv.Settings(); err == nil && len(set.Domains) > 0 {
			host = set.Domains[0]
		}
	}
	if host == addr.Unmap().String() && addr.Unmap().IsLoopback() {
		return "" // a push from this server, perhaps for somebody elsewhere
	}
	return sshTo(u.Username, host, port)
}

func sshTo(user, host string, port uint64) string {
	if port == defaultSSHPort {
		return fmt.Sprintf("ssh %s@%s", user, host)
	}
	return fmt.Sprintf("ssh -p %d %s@%s", port, user, host)
}

// defaultSSHPort is the port that ssh uses without -p.
const defaultSSHPort = 22
