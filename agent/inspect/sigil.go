package inspect

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"strings"

	"dokku/agent/app"
	"dokku/scale"
)

// sigilProperties are the directives of such a template that are properties of nginx:set.
var sigilProperties = regexp.MustCompile(`^\s*(client_max_body_size|client_body_timeout|client_header_timeout|keepalive_timeout|` +
	`lingering_timeout|proxy_buffer_size|proxy_buffering|proxy_buffers|proxy_busy_buffers_size|proxy_connect_timeout|proxy_read_timeout|` +
	`proxy_send_timeout|send_timeout|underscores_in_headers)\s+([^;{}]+);`)

// template says of Dokku's nginx template that it has no effect, and which settings do what
// it asks for.
func (n *inspection) template() {
	if n.View.NginxProperty(app.NginxNoCustomConfig) == "true" {
		return // Dokku does not use it either
	}
	name := path.Join(n.Release.BuildDir, cmp.Or(n.View.NginxProperty(app.NginxTemplate), app.DefaultNginxTemplate))
	data, found, err := n.Source.Read(n.Commit, name, maxControlFile)
	if err != nil || !found {
		return
	}
	message := "it has no effect here, since nginx's files are made from settings"
	var settings []string
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		m := sigilProperties.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		property := map[string]string{"underscores_in_headers": "underscore-in-headers"}[m[1]]
		if property == "" {
			property = strings.ReplaceAll(m[1], "_", "-")
		}
		settings = append(settings, fmt.Sprintf("dokku nginx:set %s %s %q (line %d)", n.View.Name, property, strings.TrimSpace(m[2]), line))
	}
	if len(settings) > 0 {
		message += ": use " + strings.Join(settings, ", ")
	}
	message += "; put other directives into nginx.conf.d/*.conf in the app's folder on the server"
	n.add(Problem{Problem: scale.Problem{File: name, Message: message}, Severity: Warning, Setting: true})
}
