package e2e

import (
	"fmt"
	"os"
	"testing"

	"dokku/agent/e2e/lab"
	"dokku/agent/firewall"
)

// TestFirewallOfBuilds: who pushes an app has a step of its Dockerfile ask a port of the server at
// the gateway of the engine's own network. With builder:set build-network filtered it is refused,
// and the internet is not; open, the step reaches it as before.
func TestFirewallOfBuilds(t *testing.T) {
	l := lab.New(t, nil)
	busybox, err := os.ReadFile("/bin/busybox")
	lab.Must(t, err)
	l.Firewall(firewall.NFT)
	outside, port := l.Beyond(), hostServer(t)
	a := l.App(nil)
	asks := func(n int) lab.Files {
		get := func(name, address string) string {
			ask := "(echo 'GET / HTTP/1.0'; echo) | /bin/busybox nc -w 5 " + address + " 2>&1 | /bin/busybox tail -n 1"
			return fmt.Sprintf("RUN [\"/bin/busybox\", \"sh\", \"-c\", \"echo %s $( %s ) end of %d\"]\n", name, ask, n)
		}
		return lab.Files{"busybox": string(busybox), "Dockerfile": "FROM " + l.Tools.Base + "\nCOPY --chmod=0755 busybox /bin/busybox\n" +
			get("host", gateway(l, "bridge")+" "+port) + get("outside", outside+" 80") + "EXPOSE 5000\nCMD [\"/server\"]\n"}
	}
	lab.Contains(t, a.Push(asks(1)), "host rows end of 1", "outside beyond end of 1")
	l.Dokku("builder:set", "--global", "build-network", "filtered")
	lab.Contains(t, a.Push(asks(2)), "Connection refused end of 2", "outside beyond end of 2")
	out, _ := l.Try("doctor")
	lab.Contains(t, out, "the containers of 1 app and builds by the engine reach no ports of this server")
	l.Dokku("builder:set", "--global", "build-network")
	l.Try("doctor", "--fix") // what the agent does within a minute
	lab.Contains(t, a.Push(asks(3)), "outside beyond end of 3")
	a.Serves(a.Tip("main"))
}
