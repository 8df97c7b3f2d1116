package nginx

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	"dokku/agent/proxy"
)

// relay is the loopback address by which nginx asks the responders of CAs, through itself.
const relay = "127.79.67.83"

// resolversIn returns the name servers in a file (resolv.conf(5)). nginx knows no zones
// of addresses.
func resolversIn(file string) []netip.Addr {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var list []netip.Addr
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(words[1]); err == nil && a.Zone() == "" {
			list = append(list, a)
		}
	}
	return list
}

// renderStapling has a server add to its handshakes what the CA says of the certificate.
func (s server) renderStapling(w io.Writer, c proxy.Certificate) {
	if c.Responder != "" && len(s.resolvers) > 0 {
		fmt.Fprintf(w, "    ssl_stapling on;\n    ssl_stapling_responder http://%s:%d/%s;\n", relay, s.port, c.ID)
	}
}

// renderResponders writes the server that passes questions on to the responders of CAs. It
// looks their names up when it is asked.
func renderResponders(w io.Writer, routes []proxy.Route, s server) {
	var list []proxy.Certificate
	known := map[string]bool{}
	for _, r := range routes {
		for _, c := range r.Certificates {
			if c.Responder != "" && !known[c.ID] {
				list, known[c.ID] = append(list, c), true
			}
		}
	}
	// Whichever app is deployed, the text is the same.
	slices.SortFunc(list, func(a, b proxy.Certificate) int { return strings.Compare(a.ID, b.ID) })
	if len(list) == 0 || len(s.resolvers) == 0 {
		return
	}
	io.WriteString(w, `
# A question about a certificate, without the certificate's id.
map $request_uri $dokku_ocsp {
    default "";
    "~^/[0-9a-f]+(?<dokku_ocsp_question>/.*)$" $dokku_ocsp_question;
}

server {
`)
	s.render(w)
	fmt.Fprintf(w, `    server_name %s;
    access_log off;
    allow 127.0.0.1;
    deny all;
    resolver`, relay)
	for _, a := range s.resolvers {
		if a.Is6() {
			fmt.Fprintf(w, " [%s]", a)
		} else {
			fmt.Fprintf(w, " %s", a)
		}
	}
	io.WriteString(w, ";\n")
	for _, c := range list {
		fmt.Fprintf(w, "\n    location /%s/ {\n        proxy_pass %s$dokku_ocsp;\n    }\n", c.ID, c.Responder)
	}
	io.WriteString(w, "}\n")
}
