// Package registry serves a registry of images from this server: the distribution's
// docker-registry, with TLS by an authority of this server's own and one user. It makes the
// files and the service, and removes the images of old releases.
//
// # Decisions
//
// The registry is a service of its own, which runs as the user of DOKKU_ROOT: systemd's, or
// one with an init script, as the agent. Rejected: a container of the engine, since the
// registry has to be there before the engine can pull anything, and a child of the agent,
// whose update would interrupt pulls.
//
// The authority is this server's own because nodes are often reached by private addresses,
// for which no public CA vouches. A node trusts it by one file in certs.d, which the engine
// reads at each pull; so it needs neither a restart nor insecure-registries. The password is
// this server's login (docker login's file), and Swarm gives it to the nodes.
//
// Serve can run again at any time: what is there stays (authority, password, images), and a
// changed address gets a new certificate.
//
// Old images go with the releases that had them. Sweep removes the manifests that no kept
// release of any app names, and has docker-registry collect what they alone used. It holds
// the locks of all apps meanwhile, since the release of an image that was just pushed is not
// written yet, and RegistryLock, since a collection during a push could take the layers of the
// new image, also of an app that was just made. If one is busy, it waits for its next turn. It leaves alone what people push
// themselves: other repositories, and tags that are no number. Manifests are removed as
// files, since the registry's API finds none that has lost its tag, as that of a rejected
// deploy whose number the next one got.
package registry
