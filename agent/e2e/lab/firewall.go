package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"dokku/agent/firewall"
)

// Firewall has this lab's apps kept from the ports of the host, by a program of
// firewall's: firewall.NFT, or one of iptables. The rules end with the test.
func (l *Lab) Firewall(backend string) {
	l.T.Helper()
	if os.Getuid() != 0 {
		l.T.Fatal("the test needs root, for rules of the firewall: sudo ./install.sh test")
	}
	l.T.Cleanup(func() { l.RemoveFirewall(backend) })
	l.Configure(map[string]any{"firewall": append([]string{l.Tools.Binary, firewall.ServeCommand}, l.firewall(backend)...)})
}

// firewall are the arguments of root's part.
func (l *Lab) firewall(backend string) []string {
	return []string{fmt.Sprintf("dokku-e%d", l.Nginx.Port), filepath.Join(filepath.Dir(l.Root), "firewall", backend), backend}
}

// RemoveFirewall removes all rules of a program's.
func (l *Lab) RemoveFirewall(backend string) {
	l.T.Helper()
	if out, err := exec.Command(l.Tools.Binary, append([]string{firewall.RemoveCommand}, l.firewall(backend)...)...).CombinedOutput(); err != nil {
		l.T.Errorf("cannot remove the rules: %s", out)
	}
}

// LoseFirewall removes rules from the kernel, as "nft flush ruleset" does, or one of them.
func (l *Lab) LoseFirewall(backend string) {
	l.T.Helper()
	name := fmt.Sprintf("dokku_e%d", l.Nginx.Port)
	line := []string{"nft", "delete", "table", "inet", name}
	if backend != firewall.NFT {
		line = []string{backend, "-t", "mangle", "-D", "INPUT", "-j", fmt.Sprintf("DOKKU-E%d-IN", l.Nginx.Port)}
	}
	if out, err := exec.Command(line[0], line[1:]...).CombinedOutput(); err != nil {
		l.T.Fatalf("%v: %s", line, out)
	}
}

// Beyond is a machine behind a cable to this host, at an address that no private network
// has, with a server for HTTP at port 80. It answers at the other addresses too.
func (l *Lab) Beyond(also ...string) (address string) {
	l.T.Helper()
	n := l.Nginx.Port
	name := fmt.Sprintf("b%d", n)
	near, address := fmt.Sprintf("198.18.%d.%d", n>>8&255, n&248|1), fmt.Sprintf("198.18.%d.%d", n>>8&255, n&248|2)
	ip(l.T, "netns add "+name)
	l.T.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() }) // the cable goes with it
	ip(l.T, "link add "+name+" type veth peer name eth0 netns "+name)
	ip(l.T, "addr add "+near+"/30 dev "+name)
	ip(l.T, "link set "+name+" up")
	ip(l.T, "-n "+name+" addr add "+address+"/30 dev eth0")
	ip(l.T, "-n "+name+" link set eth0 up")
	ip(l.T, "-n "+name+" link set lo up")
	ip(l.T, "-n "+name+" route add default via "+near)
	for _, a := range also {
		ip(l.T, "-n "+name+" addr add "+a+"/32 dev lo")
		ip(l.T, "route add "+a+"/32 via "+address)
	}
	dir := l.T.TempDir()
	Must(l.T, os.Chmod(dir, 0o755))
	Must(l.T, os.WriteFile(filepath.Join(dir, "index.html"), []byte("beyond"), 0o644))
	server := exec.Command("ip", "netns", "exec", name, "busybox", "httpd", "-f", "-p", "80", "-h", dir)
	Must(l.T, server.Start())
	l.T.Cleanup(func() { EndProcess(server) })
	return address
}
