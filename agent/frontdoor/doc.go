// Package frontdoor manages the front doors of a server: other servers that serve visitors
// with its routes and certificates. Package proxy/doors speaks to them.
//
// # Decisions
//
// A front door is added disabled, and enabled once it is installed. Otherwise every deploy would
// fail between the two. Enable returns when the front door serves all routes, so that its
// address can be added to the DNS after that; disable goes the other way round.
//
// Its host key is given, or taken on the first contact and pinned. The address of the front
// door is that of this contact, and that of the server the one that it was made from.
//
// Disable and remove send nothing to the front door: they are for one that is gone, too. It
// goes on serving what it has.
//
// The agent looks at all of them every half minute (Watched). It tells once that one does not
// answer, and once that it answers again. Apps that one of them lacks are reconciled, under
// their locks; there is no second way to publish a route. Routes that only a front door
// has are withdrawn unless the app is locked: then its route may be about to come.
//
// # One that is away
//
// A deploy of an app on a swarm asks the front doors before the build, and fails while an enabled one does
// not answer: it may have visitors, and would send them to processes that end. That is safe, and
// wrong at night: a front door that lost its power has no visitors, and holds up every deploy
// until somebody calls front-door:disable. Nobody here can tell it from one that visitors still
// reach, so the admin says what it is to be: leave-out-after, never by default. From then on the front
// door is as if it were disabled, the deploy warns, and front-door:report says since when.
// Nothing is stored but the time of the first look of the agent that had no answer.
//
// What a front door serves when it is back is as old as its last answer. So the agent asks one
// that is away every 5 s, forgets all that it has proven as soon as it answers, and publishes every
// app there anew. Until then its visitors get errors. Rejected: a lease, after which a front
// door that hears nothing of the server stops serving. It is meant to serve on when the
// server dies. Rejected as well: old processes that run on until it is back, which may be
// never.
//
// A front door becomes a server of its own by install.sh install, and gets the apps by
// restore. install.sh removes the key of the lost server first, so that this one cannot change
// routes if it comes back. What nginx serves there stays until the apps are restored.
package frontdoor
