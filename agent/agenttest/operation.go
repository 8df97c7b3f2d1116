package agenttest

import "strings"

// An Operation is a row of the table of operations that tests disturb: they kill the
// program, fail calls, or cut the power at each point of the operation.
type Operation struct {
	Name string
	In   Tests
	From Base
	// Lines are commands as a person types them, in order. APP stands for the app's
	// name, NEW for an unused name, VALUE for a new value each time. "push next" pushes a
	// version that deploys, "push broken" one that fails to start, "push broken TYPE" one
	// whose processes of a type do, "push submodule" one with a submodule, "push detached"
	// goes on without its client, "push cancelled" is cancelled in its gate, "push unregistered"
	// has to reach a registry that is down. "cron APP" is the
	// agent's look in a minute in which a cron task is due. "server checks
	// disabled=worker" changes server.json.
	Lines []string
	// Real is the line for the real machine, instead of Lines[0], where one app serves
	// many cells. Before is the app's formation at that time.
	Real, Before string
	// Away: while the operation runs, web may not answer.
	Away bool
	// Changes is the number of changes that TestKilledAnywhere once counted, less a few
	// that depend on the order of parallel starts. Fewer mean that some go uncounted.
	Changes int
}

// Tests are the tests that an operation is part of.
type Tests int

const (
	Killed     Tests = 1 << iota // TestKilledAnywhere
	Matrix                       // TestFaultMatrix
	PowerLoss                    // TestPowerLoss
	RealMatrix                   // TestFaultMatrixReal

	inMemory = Killed | Matrix | PowerLoss
)

// Base is the machine from which an operation starts.
type Base string

const (
	Deployed Base = "deployed" // web=2 and worker=1 run
	Fresh    Base = "fresh"    // the app exists, without a push
	None     Base = "none"     // no app exists
	Served   Base = "served"   // as Deployed, with the services postgres db and redis q, which have data
	// Clustered is as Deployed, on a server that manages a swarm of three nodes and has a registry.
	Clustered Base = "clustered"
	OldGit    Base = "old git" // as Deployed, with git before 2.36, which syncs no reference
)

// operations is the table. Samples of cells are chosen by name, so a new name changes
// the sample.
var operations = []Operation{
	{Name: "push", In: inMemory | RealMatrix, From: Deployed, Lines: lines("push next"), Changes: 43},
	{Name: "ps:restart", In: inMemory, From: Deployed, Lines: lines("ps:restart APP"), Changes: 28},
	{Name: "ps:restart web", In: inMemory, From: Deployed, Lines: lines("ps:restart APP web"), Changes: 25},
	{Name: "ps:restart with workers one after the other", In: inMemory, From: Deployed,
		Lines: lines("server checks disabled=worker", "ps:restart APP"), Changes: 25},
	{Name: "ps:rebuild", In: inMemory, From: Deployed, Lines: lines("ps:rebuild APP"), Changes: 33},
	{Name: "config:set", In: inMemory | RealMatrix, From: Deployed, Lines: lines("config:set APP A=b"),
		Real: "config:set APP A=VALUE", Changes: 28},
	{Name: "scale up", In: inMemory | RealMatrix, From: Deployed, Lines: lines("ps:scale APP web=4 worker=2"),
		Before: "web=1", Real: "ps:scale APP web=2", Changes: 10},
	{Name: "scale down", In: inMemory | RealMatrix, From: Deployed, Lines: lines("ps:scale APP web=1 worker=0"),
		Before: "web=2", Real: "ps:scale APP web=1", Changes: 15},
	{Name: "ps:stop", In: inMemory, From: Deployed, Lines: lines("ps:stop APP"), Away: true, Changes: 7},
	{Name: "ps:stop and ps:start", In: inMemory, From: Deployed, Lines: lines("ps:stop APP", "ps:start APP"), Away: true, Changes: 27},
	{Name: "proxy:disable and proxy:enable", In: inMemory, From: Deployed, Lines: lines("proxy:disable APP", "proxy:enable APP"),
		Away: true, Changes: 60},
	{Name: "apps:rename", In: inMemory | RealMatrix, From: Deployed, Lines: lines("apps:rename APP NEW"), Changes: 40},
	{Name: "apps:rename without the proxy", In: inMemory, From: Deployed, Lines: lines("proxy:disable APP", "apps:rename APP NEW"),
		Away: true, Changes: 50},
	{Name: "isolation:disable and isolation:enable", In: inMemory, From: Deployed, Lines: lines("isolation:disable APP", "isolation:enable APP"), Changes: 50},
	{Name: "network:set host-ports", In: Matrix | PowerLoss, From: Deployed, Lines: lines("network:set APP host-ports 5432")},
	{Name: "ports:set with another web port", In: inMemory, From: Deployed, Lines: lines("ports:set APP http:80:9000 http:10080"), Changes: 28},
	{Name: "apps:rename of a stopped app", In: inMemory, From: Deployed, Lines: lines("ps:stop APP", "apps:rename APP NEW"),
		Away: true, Changes: 20},

	{Name: "config:set and releases:rollback", In: inMemory, From: Deployed,
		Lines: lines("config:set APP A=b", "releases:rollback APP"), Changes: 56},

	{Name: "ps:set rollover and a push", In: inMemory, From: Deployed,
		Lines: lines("ps:set APP rollover worker=exclusive", "push next"), Changes: 50},
	{Name: "ps:set rollover and a rejected push", In: Killed | Matrix, From: Deployed,
		Lines: lines("ps:set APP rollover worker=exclusive", "push broken worker"), Changes: 26},
	{Name: "ps:set rollover and ps:restart", In: Matrix, From: Deployed,
		Lines: lines("ps:set APP rollover worker=exclusive", "ps:restart APP")},

	{Name: "registry:set", In: PowerLoss, From: Deployed, Lines: lines("registry:set APP server registry.test")},
	{Name: "registry:set and a push of an image", In: Killed | Matrix, From: Deployed,
		Lines: lines("registry:set APP push-on-release true", "push next"), Changes: 44},
	{Name: "a push whose registry is down", In: Matrix, From: Deployed, Lines: lines("push unregistered")},

	{Name: "scheduler:set docker-swarm", In: Killed | Matrix, From: Clustered, Lines: lines("scheduler:set APP selected docker-swarm"), Changes: 20},
	{Name: "scheduler:set docker-swarm and back", In: Killed | Matrix, From: Clustered,
		Lines: lines("scheduler:set APP selected docker-swarm", "scheduler:set APP selected docker-local"), Changes: 45},
	{Name: "scheduler:set docker-swarm and a push", In: Killed | Matrix, From: Clustered,
		Lines: lines("scheduler:set APP selected docker-swarm", "push next"), Changes: 50},
	{Name: "scheduler:set docker-swarm and ps:scale", In: Killed | Matrix, From: Clustered,
		Lines: lines("scheduler:set APP selected docker-swarm", "ps:scale APP web=3 worker=2", "ps:scale APP web=1"), Changes: 45},

	{Name: "scheduler:set docker-swarm and cluster:rotate-certificates", In: Killed | Matrix, From: Clustered,
		Lines: lines("scheduler:set APP selected docker-swarm", "cluster:rotate-certificates"), Changes: 28},

	{Name: "git:from-image", In: inMemory, From: Deployed, Lines: lines("git:from-image APP"), Changes: 30},
	{Name: "git:from-image with the builder null", In: Killed, From: Deployed, Lines: lines("builder:set APP selected null", "git:from-image APP"), Changes: 30},
	{Name: "git:load-image", In: inMemory, From: Deployed, Lines: lines("git:load-image APP"), Changes: 30},
	{Name: "git:from-archive", In: inMemory, From: Deployed, Lines: lines("git:from-archive APP"), Changes: 35},
	{Name: "git:sync", In: Killed, From: Deployed, Lines: lines("git:sync APP"), Changes: 43},

	{Name: "a detached push", In: inMemory, From: Deployed, Lines: lines("push detached"), Changes: 44},
	{Name: "a cancelled push", In: inMemory, From: Deployed, Lines: lines("push cancelled"), Changes: 15},
	{Name: "a push with a submodule", In: Killed, From: Deployed, Lines: lines("push submodule"), Changes: 45},

	{Name: "a first push", In: Matrix | PowerLoss, From: Fresh, Lines: lines("push next"), Away: true},
	{Name: "apps:destroy", In: Matrix | PowerLoss | RealMatrix, From: Deployed, Lines: lines("apps:destroy APP --force"), Away: true},
	{Name: "domains:set", In: Matrix | PowerLoss, From: Deployed, Lines: lines("domains:set APP a.example")},
	{Name: "certs:add", In: Matrix | PowerLoss, From: Deployed, Lines: lines("certs:add APP")},
	{Name: "certs:add and certs:remove", In: Matrix | PowerLoss, From: Deployed, Lines: lines("certs:add APP", "certs:remove APP")},
	{Name: "letsencrypt:enable", In: Matrix | PowerLoss, From: Deployed, Lines: lines("letsencrypt:enable APP")},
	{Name: "letsencrypt:enable and letsencrypt:disable", In: Matrix | PowerLoss, From: Deployed,
		Lines: lines("letsencrypt:enable APP", "letsencrypt:disable APP")},
	{Name: "config:set --no-restart", In: Matrix | PowerLoss, From: Deployed, Lines: lines("config:set --no-restart APP A=b")},

	{Name: "import and its deploy", In: Matrix | PowerLoss, From: None, Lines: lines("import APP"), Away: true},
	{Name: "import of a later version and its settings", In: Killed | Matrix, From: Deployed, Lines: lines("import APP"), Changes: 60},

	{Name: "a minute of a cron task", In: Matrix, From: Deployed, Lines: lines("cron APP")},

	{Name: "apps:create", In: PowerLoss, From: None, Lines: lines("apps:create APP")},
	{Name: "a push that makes the app", In: PowerLoss | RealMatrix, From: None, Lines: lines("push next")},
	{Name: "a rejected push that makes the app", In: Matrix | PowerLoss | RealMatrix, From: None, Lines: lines("push broken"), Away: true},
	{Name: "a push with git before 2.36", In: PowerLoss, From: OldGit, Lines: lines("push next")},
	{Name: "a rejected push", In: PowerLoss | RealMatrix, From: Deployed, Lines: lines("push broken")},
	{Name: "nginx:set", In: PowerLoss, From: Deployed, Lines: lines("nginx:set APP client-max-body-size 5m")},
	{Name: "proxy:build-config", In: PowerLoss, From: Deployed, Lines: lines("proxy:build-config APP")},
	{Name: "maintenance:enable", In: Matrix | PowerLoss, From: Deployed, Lines: lines("maintenance:enable APP")},
	{Name: "maintenance:custom-page in maintenance", In: Matrix | PowerLoss, From: Deployed,
		Lines: lines("maintenance:enable APP", "maintenance:custom-page APP")},
	{Name: "redirect:set", In: Matrix | PowerLoss, From: Deployed, Lines: lines("redirect:set APP old.example new.example")},
	{Name: "http-auth:enable", In: Matrix | PowerLoss, From: Deployed, Lines: lines("http-auth:enable APP ann $6$salt$aaaaaaaa")},
	{Name: "git:set", In: PowerLoss, From: Deployed, Lines: lines("git:set APP deploy-branch live")},
	{Name: "notify:add", In: Matrix | PowerLoss, From: Deployed, Lines: lines("notify:add APP https://hooks.example.com")},
	{Name: "notify:add and notify:remove", In: PowerLoss, From: Deployed,
		Lines: lines("notify:add APP https://hooks.example.com", "notify:remove APP https://hooks.example.com")},
	{Name: "events:off", In: PowerLoss, From: Deployed, Lines: lines("events:off APP")},
	{Name: "postgres:create", In: inMemory, From: Deployed, Lines: lines("postgres:create db"), Changes: 10},
	{Name: "postgres:link", In: inMemory, From: Served, Lines: lines("postgres:link db APP"), Changes: 28},
	{Name: "postgres:link and postgres:unlink", In: inMemory, From: Served, Lines: lines("postgres:link db APP", "postgres:unlink db APP"), Changes: 56},
	{Name: "postgres:import", In: Matrix, From: Served, Lines: lines("postgres:import db")},
	{Name: "postgres:upgrade", In: inMemory, From: Served, Lines: lines("postgres:upgrade db"), Changes: 10},
	{Name: "postgres:upgrade to another major version", In: inMemory, From: Served, Lines: lines("postgres:upgrade db 19.1"), Changes: 28},
	{Name: "postgres:upgrade to another major version and back", In: Killed | Matrix, From: Served,
		Lines: lines("postgres:upgrade db 19.1", "postgres:upgrade db --back"), Changes: 36},
	{Name: "postgres:upgrade to another major version and --forget", In: Matrix | PowerLoss, From: Served,
		Lines: lines("postgres:upgrade db 19.1", "postgres:upgrade db --forget")},
	{Name: "postgres:link and postgres:upgrade --restart-apps", In: Killed, From: Served, Away: true,
		Lines: lines("postgres:link db APP", "postgres:upgrade db 19.1 --restart-apps"), Changes: 80},
	{Name: "postgres:expose", In: Matrix, From: Served, Lines: lines("postgres:expose db 15432")},
	{Name: "postgres:isolate --off and postgres:isolate", In: inMemory, From: Served, Lines: lines("postgres:isolate db --off", "postgres:isolate db"), Changes: 20},
	{Name: "postgres:destroy", In: inMemory, From: Served, Lines: lines("postgres:destroy db"), Changes: 8},
	{Name: "redis:import", In: inMemory, From: Served, Lines: lines("redis:import q"), Changes: 16},
	{Name: "redis:clone", In: Killed | Matrix, From: Served, Lines: lines("redis:clone q copy"), Changes: 10},
	{Name: "redis:restore", In: inMemory, From: Served, Lines: lines("redis:restore copy"), Changes: 10},
	{Name: "postgres:backup", In: Killed | Matrix, From: Served, Lines: lines("postgres:backup db"), Changes: 15},
	{Name: "redis:destroy with its data kept", In: Matrix | PowerLoss, From: Served, Lines: lines("redis:destroy q --keep-data")},
	{Name: "apps:set disk-quota", In: Matrix | PowerLoss, From: Deployed, Lines: lines("apps:set APP disk-quota 20%")},
	{Name: "apps:lock", In: PowerLoss, From: Deployed, Lines: lines("apps:lock APP")},
}

func lines(list ...string) []string { return list }

// Operations returns the operations of a test, in the table's order.
func Operations(of Tests) (list []Operation) {
	for _, o := range operations {
		if o.In&of != 0 {
			list = append(list, o)
		}
	}
	return list
}

// Line returns the line for the real machine.
func (o Operation) Line() string {
	if o.Real != "" {
		return o.Real
	}
	return o.Lines[0]
}

// Verb returns the command of a line: "push", "ps:scale".
func Verb(line string) string {
	verb, _, _ := strings.Cut(line, " ")
	return verb
}

// Words returns the words of a line, with the names filled in.
func Words(line, app, other, value string) []string {
	return strings.Fields(strings.NewReplacer("APP", app, "NEW", other, "VALUE", value).Replace(line))
}
