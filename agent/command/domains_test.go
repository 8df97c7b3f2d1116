package command

import (
	"testing"

	"dokku/agent/app"
)

// TestFirstDomain: the names that the app had go on to lead to it.
func TestFirstDomain(t *testing.T) {
	f := newFixture(t)
	withNginx(f)
	f.expect("domains:add fresh www.example.org", ok("-----> Added www.example.org to fresh\n"))
	f.expect("domains:report fresh --domains-app-vhosts", ok("fresh.example.com www.example.org\n"))
	f.write(".dokku/server.json", app.Settings{Version: 1, Docker: "unix:///nowhere.sock", Nginx: app.NginxSettings{Check: []string{"true"}}})
	f.state("fresh", app.State{})
	f.expect("domains:add fresh www.example.org B\u00dcCHER.example", ok("-----> Added www.example.org to fresh\n-----> Added xn--bcher-kva.example to fresh\n"))
	f.expect("domains:report fresh --domains-app-vhosts", ok("www.example.org xn--bcher-kva.example fresh."+app.HostName()+"\n"))
	f.expect("domains:add fresh *", ok("-----> Added _ to fresh\n"))
	f.expect("domains:add taken _", fails(1, " !     Domain _ belongs to app fresh: remove it there first (dokku domains:remove fresh _)\n"))
	f.expect("domains:remove fresh b\u00fccher.example _", ok("-----> Removed xn--bcher-kva.example from fresh\n-----> Removed _ from fresh\n"))
	f.expect("domains:report fresh --domains-app-vhosts", ok("www.example.org fresh."+app.HostName()+"\n"))

	// A global domain was chosen, also where it is the host's name.
	f.write(".dokku/server.json", app.Settings{Version: 1, Docker: "unix:///nowhere.sock", Domains: []string{app.HostName()},
		Nginx: app.NginxSettings{Check: []string{"true"}}})
	f.state("fresh", app.State{})
	f.expect("domains:add fresh www.example.org", ok("-----> Added www.example.org to fresh\n"))
	f.expect("domains:report fresh --domains-app-vhosts", ok("fresh."+app.HostName()+" www.example.org\n"))
}
