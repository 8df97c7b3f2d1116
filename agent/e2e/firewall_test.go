package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/network"

	"dokku/agent/e2e/lab"
	"dokku/agent/firewall"
)

// hostServer answers "rows" at all addresses of the host. It returns its port.
func hostServer(t *testing.T) string {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	lab.Must(t, err)
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "rows") }))
	t.Cleanup(func() { l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// gateway is the address of the host on a network.
func gateway(l *lab.Lab, name string) string {
	l.T.Helper()
	n, err := l.Tools.Docker.NetworkInspect(l.T.Context(), name, network.InspectOptions{})
	lab.Must(l.T, err)
	if g := n.IPAM.Config[0].Gateway; g != "" {
		return g
	}
	subnet, _, err := net.ParseCIDR(n.IPAM.Config[0].Subnet) // the engine's choice is the first
	lab.Must(l.T, err)
	subnet.To4()[3]++
	return subnet.String()
}

// hostAddress is an address of the host's own interface.
func hostAddress(t *testing.T) string {
	c, err := net.Dial("udp4", "192.0.2.1:9") // sends no packet
	lab.Must(t, err)
	defer c.Close()
	host, _, _ := net.SplitHostPort(c.LocalAddr().String())
	return host
}

// resolver is a server of DNS at an address that knows no name. It tells of questions.
func resolver(t *testing.T, address string) <-chan bool {
	c, err := net.ListenPacket("udp4", address+":53")
	lab.Must(t, err)
	t.Cleanup(func() { c.Close() })
	asked := make(chan bool, 64)
	go func() {
		for question := make([]byte, 512); ; {
			n, from, err := c.ReadFrom(question)
			if err != nil {
				return
			}
			asked <- true
			question[2], question[3] = question[2]|0x80, 3 // an answer: there is no such name
			c.WriteTo(question[:n], from)
		}
	}()
	return asked
}

// atOnce calls do with each number below n at the same time: iptables answers nothing, so each
// refusal takes the client's whole patience.
func atOnce(n int, do func(n int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// TestFirewall: who pushes an app scans the ports of the server at the gateway of its container, of
// a network that it shares and at every other address, reads the credentials of the server from the
// metadata service of the cloud, and connects to other apps past nginx. Nothing of that is reached
// with nft and iptables, while nginx, the internet, DNS and what an administrator opens are. An app of an earlier
// version goes on reaching all of it.
func TestFirewall(t *testing.T) {
	l := lab.New(t, nil)
	busybox, err := os.ReadFile("/bin/busybox")
	lab.Must(t, err)
	l.Firewall(firewall.NFT)
	outside := l.Beyond("169.254.77.77")
	port, other := hostServer(t), hostServer(t)
	files := lab.Files{"busybox": string(busybox), "Dockerfile": "FROM " + l.Tools.Base + "\nCOPY --chmod=0755 busybox /bin/busybox\nEXPOSE 5000\nCMD [\"/server\"]\n"}
	old := l.App(nil)
	older(old)
	shared := old.Name + "-net"
	l.Dokku("network:create", shared)
	t.Cleanup(func() { l.Try("network:destroy", "--force", shared) })
	l.Dokku("network:set", old.Name, "attach-post-create", shared)
	old.Push(nil)
	// The shared network is the container's default route, since its name comes first.
	a := l.App(nil)
	l.Dokku("apps:create", a.Name)
	l.Dokku("network:set", a.Name, "attach-post-create", shared)
	a.Push(files)

	at := func(address string) func(port string) string {
		return func(port string) string { return address + ":" + port }
	}
	own, common, oldOwn := at(gateway(l, "dokku-"+a.Name)), at(gateway(l, shared)), at(gateway(l, "dokku-"+old.Name))
	everywhere := []func(string) string{own, common, at(hostAddress(t)), at(gateway(l, "bridge")), oldOwn}
	fetch := func(a *lab.App, from string) string {
		t.Helper()
		_, body := a.Get("/fetch?from=" + from)
		return strings.TrimSpace(body)
	}
	reaches := func(when string, a *lab.App, from, want string) {
		t.Helper()
		if got := fetch(a, from); got != want {
			t.Errorf("%s, %s answers %q, want %q", when, from, got, want)
		}
	}
	refused := func(when string, a *lab.App, from string) {
		t.Helper()
		if got := fetch(a, from); !strings.Contains(got, "connection refused") && !strings.Contains(got, "exceeded") {
			t.Errorf("%s, %s answers %q", when, from, got)
		}
	}
	asked := resolver(t, gateway(l, "dokku-"+a.Name))
	upstream := old.Upstreams()[0].String()

	backends := []string{firewall.NFT, firewall.IptablesNFT, firewall.IptablesLegacy}
	for i, backend := range backends {
		if i > 0 {
			l.Firewall(backend)
			out, code := l.Try("doctor")
			lab.Contains(t, out, "firewall")
			if lab.Contains(t, out, "there are no rules yet"); code == 0 {
				t.Error("doctor finds nothing where no rules are")
			}
			l.RemoveFirewall(backends[i-1])
			reaches("without rules", a, own(port), "rows")
			l.Try("doctor", "--fix")
		}
		atOnce(len(everywhere), func(n int) {
			refused(backend, a, everywhere[n](port))
			reaches(backend+" in an older app", old, everywhere[n](port), "rows")
		})
		refused(backend+" at another app's container", a, upstream)
		refused(backend+" at a metadata address", a, "169.254.77.77")
		reaches(backend+" in an older app", old, "169.254.77.77", "beyond")
		reaches(backend+" outside", a, outside, "beyond")
		if got := fetch(a, own(fmt.Sprint(l.Nginx.Port))); strings.Contains(got, "error") {
			t.Errorf("%s: nginx is not reached: %s", backend, got)
		}
		if out, _ := l.Try("run", a.Name, "/bin/busybox", "wget", "-T", "3", "-q", "-O", "-", "http://"+own(port)+"/"); strings.Contains(out, "rows") {
			t.Errorf("%s: a command reaches the host: %s", backend, out)
		}
		l.Try("run", a.Name, "/bin/busybox", "nslookup", "a.test", gateway(l, "dokku-"+a.Name))
		select {
		case <-asked:
		default:
			t.Errorf("%s: a resolver on the host is not asked", backend)
		}
		lab.Contains(t, l.Dokku("isolation:report", a.Name), "Isolation network:             filtered")

		l.Dokku("network:set", a.Name, "host-ports", port)
		atOnce(len(everywhere), func(n int) {
			reaches(backend+" opened", a, everywhere[n](port), "rows")
			refused(backend+", another port", a, everywhere[n](other))
		})
		l.Dokku("network:set", a.Name, "host-ports")
		refused(backend+" closed", a, own(port))
		l.Dokku("network:set", a.Name, "cloud-metadata", "true")
		reaches(backend+" with cloud-metadata", a, "169.254.77.77", "beyond")
		l.Dokku("network:set", a.Name, "cloud-metadata")
		refused(backend+" at a metadata address again", a, "169.254.77.77")

		l.LoseFirewall(backend)
		reaches(backend+" without rules", a, own(port), "rows")
		out, _ := l.Try("doctor")
		lab.Contains(t, out, "may reach ports of this server")
		l.Try("doctor", "--fix")
		refused(backend+" after doctor --fix", a, own(port))
		out, _ = l.Try("doctor")
		lab.Contains(t, out, "reach no ports of this server")
		if backend == firewall.NFT {
			l.Dokku("isolation:disable", a.Name)
			reaches("after isolation:disable", a, own(port), "rows")
			l.Dokku("isolation:enable", a.Name)
			refused("after isolation:enable", a, own(port))
			a.Serves(a.Tip("main"))
		}
	}
}
