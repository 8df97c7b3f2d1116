package sources

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/proc"
	images "dokku/agent/registry"
	"dokku/build/registry"
)

var serveCommands = []cli.Spec{{
	Use: "registry:serve", Role: cli.Admin, Short: "Serve a registry of images from this server", AsRoot: true,
	Long: "It runs the distribution's docker-registry with TLS, by an authority of this server's own, and with a password of its own, as a service of the user dokku.\n" +
		"This server's engine trusts it, is logged in, and pushes there where registry:set push-on-release is true. The command prints the line that root of\n" +
		"another server runs so that its engine trusts it too. Run it again to change the address or the port, or to print the line: what is there stays.\n" +
		"The images of releases that are no longer kept are removed by the agent.",
	Example: "sudo dokku registry:serve --address 10.0.0.1",
	Flags: func(f *pflag.FlagSet) {
		f.String("address", "", "the address by which other servers reach this one; that of the swarm, or of this server, if it is not given")
		f.String("port", "", "the TCP port; 5443 if it is not given")
	},
	Run: runServe,
}}

func runServe(c *cli.Call) error {
	port := 0
	if text := c.Value("port"); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return cli.Refuse("Invalid --port %q: it is a TCP port, such as %d", event.OneLine(text), images.DefaultPort)
		}
		port = int(n)
	}
	if os.Geteuid() != 0 || c.Env.User != "" {
		return cli.Refuse("registry:serve sets up a service, which only root may: sudo dokku registry:serve, on the server")
	}
	if _, err := exec.LookPath(images.Program); err != nil {
		return images.ErrNoProgram
	}
	st := c.Server.Env.Store
	address := c.Value("address")
	var before, v images.Served
	changed := false
	err := proc.AsOwner(c.Env.Root, func() (err error) {
		before, err = images.Read(st)
		return err
	})
	if err != nil && address == "" {
		address = ownAddress(c)
	}
	err = proc.AsOwner(c.Env.Root, func() (err error) {
		v, changed, err = images.Prepare(st, address, port, time.Now())
		return err
	})
	if err != nil {
		return err
	}
	if err := images.ThisHost().Install(c.Ctx, st, v, changed); err != nil {
		return err
	}
	if c.Env.Become != nil {
		if err := c.Env.Become(); err != nil {
			return err
		}
	}
	if err := useServed(c, before, v); err != nil {
		return err
	}
	c.Events().Step("The registry serves at %s", v.Server())
	c.Events().Detail("Other servers trust it after this line, as root:")
	c.Events().Detail("%s", v.TrustLine())
	c.Events().Detail("To push the images of all new releases there: dokku registry:set --global %s true", app.PropPushOnRelease)
	return nil
}

// ownAddress is the address of this server in its swarm, else the one that it has for the
// rest of the world; "" if nobody knows. It sends nothing.
func ownAddress(c *cli.Call) string {
	if host, err := c.Engine(); err == nil {
		if swarm, err := host.Cluster(c.Ctx); err == nil {
			return swarm.Address
		}
	}
	conn, err := net.Dial("udp", "192.0.2.1:9")
	if err != nil {
		return ""
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).IP.String()
}

// useServed stores the login for the registry, and makes it the one that images are pushed to
// if there is none, or if it was before at another address.
func useServed(c *cli.Call, before, v images.Served) error {
	st := c.Server.Env.Store
	login := registry.Login{User: images.User, Secret: v.Password}
	if err := st.ChangeFile(c.Ctx, st.DockerConfig()+"/"+registry.ConfigFile, func(data []byte) ([]byte, error) {
		return registry.With(data, v.Server(), login)
	}); err != nil {
		return err
	}
	return st.UpdateSettings(c.Ctx, func(set *app.Settings) error {
		if server := set.Registry[app.PropRegistry]; server == "" || server == before.Server() {
			cli.Put(&set.Registry, app.PropRegistry, v.Server())
		}
		return nil
	})
}
