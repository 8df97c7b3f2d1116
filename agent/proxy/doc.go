// Package proxy is the contract of a reverse proxy in front of the apps' web
// processes: one [Route] for each app, staged while a push can still be rejected
// and published after git has accepted it.
//
// Package nginx publishes routes through the host's nginx, package doors at other servers
// too, package memory keeps them for tests. Every implementation passes the suite in proxytest.
//
// # Decisions
//
//   - A route is data and is validated here, once for all implementations
//     ([Route.Checked]), so that no text of a user reaches a configuration file
//     unseen. Every implementation calls it before anything else.
//   - Stage and Publish are two calls because a push has two phases: everything that
//     can fail does so in Stage, before git moves the ref.
//   - Live reports the route that the proxy serves, not the last one published. A crash between
//     the two is then seen and repaired by the next call.
//   - Apps whose processes hold ports of the host (proxy:disable) have no route.
//     An implementation that does nothing was rejected: the rollout of such an app
//     differs in more than the proxy.
//   - Most settings of a route are values of nginx's directives, each with a check of
//     its own ([Properties]): one table for commands, reports and validation. A typed field for
//     each was rejected: thirty fields would be copied in four places.
//   - The proxy's own settings (trusted proxies) are not part of a route. [Proxy.Refresh]
//     makes a change take effect in one step; Live reports routes that lack it as outdated, so that
//     the agent does it after a crash.
//   - Diagnosis is an interface of its own, [Examiner]: only the doctor needs it, and
//     a proxy may do without.
package proxy
