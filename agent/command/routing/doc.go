// Package routing has the commands about the route from a client to an app's web
// processes: domains, ports, the proxy, nginx settings, what stands in front of the
// processes, and the networks that they join.
//
// # Decisions
//
// The commands maintenance, redirect and http-auth have the names, the words and the texts
// of Dokku's plugins. Different are: redirect:set makes its source a name of the app, and
// refuses one of another app's; redirect:unset of a domain without a redirect is an error;
// passwords are hashed by bcrypt at a low cost (see hashCost), and only http-auth:export-users
// prints the hashes, as certs:show prints a key; the domains with passwords have to be the
// app's, and while it has none of those that are listed, all of its domains ask, so that a
// changed name never opens an app; --password-stdin keeps a password out of the
// list of processes. Access lists of nginx are http-auth's allowed addresses.
//
// The commands of the plugin global-cert are names for certs:* --global. Its report without an
// app is that of the server, as it was in the plugin until 0.4: clients read it so.
//
// ports:add of a mapping that is there is an error, as in Dokku: it changes nothing, and its
// container port may be another one than its writer believes.
//
// network:set bind-all-interfaces publishes web's port at all addresses of the host, at a port
// of the engine's choice, beside the proxy and from the next deploy on, as in Dokku. It differs
// from proxy:disable, whose port stays the same. On a swarm it has no effect: a process is
// reached by a port of its node there anyway. static-web-listener takes effect at once, and may
// be set for an app that is never deployed, which is how Dokku's users put nginx before a
// program outside of it. The route leads to its port, where Dokku's template takes the port of
// the mapping; an address is required, since nginx would look a name up only once. ps:stop
// answers for the listener too. nginx-conf-sigil-path says which file of a repository a push
// explains (package inspect); no template is rendered, since a pusher's text must not become
// configuration of nginx.
//
// network:set host-ports and cloud-metadata are none of Dokku's, whose containers reach everything. They are an
// admin's: they reach beyond the app. An app that has all that already may get them, with a warning, so that
// they are there before isolation:enable is gated.
//
// proxy:build-config publishes the route as it is stored, also where nothing has changed.
// proxy:clear-config is missing: the agent would write the file again, and an app without a
// route is one with proxy:disable. The report of http-auth begins with its switch, and that
// of checks with the disabled types: a client reads them by their position.
package routing
