package routing

import (
	"slices"

	"dokku/agent/app"
	"dokku/agent/command/cli"
)

const onlyNginx = "nginx is the only proxy: dokku nginx:set, dokku letsencrypt:set"

// otherProxies are the settings of Dokku's other proxies, with its defaults, which clients
// compare. Dokku, too, stores them for apps that nginx serves.
var otherProxies = slices.Concat(
	cli.InertCommands("caddy", cli.Inert("caddy", onlyNginx, slices.Concat(
		cli.ForServer(cli.Named("image", "letsencrypt-email", "letsencrypt-server="+app.LetsEncrypt, "log-level=ERROR", "polling-interval=5s")),
		cli.Named("tls-internal=false"))...)),
	cli.InertCommands("haproxy", cli.Inert("haproxy", onlyNginx,
		cli.ForServer(cli.Named("image", "letsencrypt-email", "letsencrypt-server="+app.LetsEncrypt, "log-level=ERROR", "refresh-conf=10"))...)),
	cli.InertCommands("openresty", cli.Inert("openresty", onlyNginx, slices.Concat(
		cli.Named("access-log-format", "access-log-path"),
		cli.ForServer(cli.Named("allowed-letsencrypt-domains-func-base64=return true")),
		cli.Named("bind-address-ipv4", "bind-address-ipv6=::", "client-body-timeout=60s", "client-header-timeout=60s", "client-max-body-size=1m",
			"error-log-path", "hsts=true", "hsts-include-subdomains=true", "hsts-max-age=15724800", "hsts-preload=false"),
		cli.ForServer(cli.Named("image")), cli.Named("keepalive-timeout=75s"),
		cli.ForServer(cli.Named("letsencrypt-email", "letsencrypt-server="+app.LetsEncrypt)), cli.Named("lingering-timeout=5s"),
		cli.ForServer(cli.Named("log-level=ERROR")),
		cli.Named("proxy-buffer-size=4k", "proxy-buffering=on", "proxy-buffers=8 4k", "proxy-busy-buffers-size=8k", "proxy-connect-timeout=60s",
			"proxy-read-timeout=60s", "proxy-send-timeout=60s", "send-timeout=60s", "underscore-in-headers=off", "x-forwarded-for-value=$remote_addr",
			"x-forwarded-port-value=$server_port", "x-forwarded-proto-value=$scheme", "x-forwarded-ssl"))...)),
	cli.InertCommands("traefik", traefik),
)

// traefik hides in text what Dokku hides there.
var traefik = func() cli.Properties {
	names := cli.ForServer(cli.Named("api-enabled=false", "api-entry-point", "api-entry-point-address", "api-vhost=traefik.dokku.me", "basic-auth-password",
		"basic-auth-username", "challenge-mode=tls", "dashboard-enabled=false", "dns-provider", app.ACMEVariables, "http-entry-point=http",
		"https-entry-point=https", "image", "letsencrypt-email", "letsencrypt-server="+app.LetsEncrypt, "log-level=ERROR"))
	for i := range names {
		switch names[i].Name {
		case "basic-auth-password":
			names[i].Masked = true
		case app.ACMEVariables:
			names[i].Masked, names[i].Prefix = true, true
		}
	}
	return cli.Inert("traefik", onlyNginx, names...)
}()
