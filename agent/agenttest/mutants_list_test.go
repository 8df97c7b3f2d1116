package agenttest

// together are the tests that let commands run at the same time, with few commands.
var together = []string{"-crowd.commands=240", "-crowd.patience=20s"}

// matrix are the arguments of a part of the fault matrix.
func matrix(cells string) []string { return []string{"-matrix.only=" + cells} }

// powerLoss are the arguments of a part of the playback of a loss of power.
func powerLoss(states string) []string { return []string{"-crash.only=" + states} }

var mutants = []mutant{
	{name: "a file is not synced", file: "agent/disk/disk.go", pkg: "agent", run: "TestPowerLoss", args: powerLoss("^config:set"),
		old: "	if err == nil {\n		err = d.Sync(name)\n	}", new: ""},
	{name: "a file is renamed before it is synced", file: "agent/store.go", pkg: "agent", run: "TestPowerLoss", slow: true, args: powerLoss("^config:set"),
		old: "	temp, err := d.Temporary(path, data, 0o600)\n", new: "	temp := path + \".new\"\n	err := d.Write(temp, data, 0o600)\n	defer d.Sync(path)\n"},
	{name: "a folder is not synced", file: "agent/store.go", pkg: "agent", run: "TestPowerLoss", args: powerLoss("^config:set"),
		old: "if err := d.Sync(filepath.Dir(path)); err != nil {", new: "if err := error(nil); err != nil {"},
	{name: "what was pushed is not synced", file: "agent/durable.go", pkg: "agent", run: "TestPowerLoss", slow: true, args: powerLoss("^push /|^a push with git before"),
		old: "err = x.disk.SyncAll(paths...)", new: "_ = paths"},
	{name: "the lock is not waited for", file: "agent/lock.go", pkg: "agent", run: "TestCommandsAtTheSameTime", args: together,
		old: "return unix.Flock(int(l.f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil", new: "return true"},
	{name: "the lock is given back early", file: "agent/session.go", pkg: "agent", run: "TestCommandsAtTheSameTime", args: together,
		old: "defer x.close()", new: "x.close()"},
	{name: "an old value is not compared", file: "agent/prepare.go", pkg: "agent", slow: true, run: "TestCommandsAtTheSameTime", args: together,
		old: "if tip != ref.Old {", new: "if false {"},
	{name: "a name is given twice", file: "agent/rename.go", pkg: "agent", slow: true, run: "TestCommandsAtTheSameTime", args: together,
		old: "return x.nameFree(name)", new: "return nil"},
	{name: "an abandoned lock is not cleaned up behind", file: "agent/session.go", pkg: "agent", run: "TestAbandonedLock$",
		old: "if (x.dirty || x.lock.abandoned) &&", new: "if x.dirty &&"},
	{name: "ps:scale trusts what was left", file: "agent/operations.go", pkg: "agent", run: "TestScaleTrustsNothingLeft",
		old: "	if err := x.tidy(ctx); err != nil {\n		return err\n	}", new: ""},
	{name: "ps:scale --skip-deploy wins over what was said later", file: "agent/operations.go", pkg: "agent/command", slow: true, run: "TestScaleStored",
		old: "delete(x.State.ScaleNext, t)", new: "_ = t"},
	{name: "the gate is ignored", file: "agent/rollout.go", pkg: "agent", run: "TestRejectedPush",
		old: "			if err := o.gate(gctx); err != nil {\n				return err\n			}", new: "			o.gate(gctx)"},
	{name: "what a rejected push started is left", file: "agent/rollout.go", pkg: "agent", run: "TestRejectedPush",
		old: "		err = o.converge(ctx, false)", new: "		err = ctx.Err()"},
	{name: "what a rejected config:set asked for is kept", file: "agent/rollout.go", pkg: "agent", run: "TestRejectedConfig",
		old: "	if err := prove(o); err != nil {\n		x.State = before\n", new: "	if err := prove(o); err != nil {\n"},
	{name: "nothing drains", file: "agent/plan.go", pkg: "agent", run: "TestPlan$",
		old: "return routed(p.w.Live, i.Address) || i.Type", new: "return false && i.Type"},
	{name: "the time to retire begins before the switch", file: "agent/executor.go", pkg: "agent", run: "TestFaultMatrix",
		args: matrix("^(push|ps:restart) / proxy: publish .* / killed, a day later$"),
		old:  "e.setRetiring(s.IDs, time.Time{})", new: "e.setRetiring(s.IDs, time.Now())"},
	{name: "what is stopped starts", file: "agent/plan.go", pkg: "agent", slow: true, run: "TestPlan$",
		old: "	if p.d.Stopped {\n		return\n	}", new: ""},
	{name: "a staged release is ignored", file: "agent/session.go", pkg: "agent", run: "TestRejectedPush",
		old: "	if st == nil {\n		return nil\n	}\n	alive", new: "	if st == nil || st.New != \"\" {\n		return nil\n	}\n	alive"},
	{name: "a staged release is adopted whatever the ref says", file: "agent/session.go", pkg: "agent", run: "TestFaultMatrix",
		args: matrix("^push / move the ref .* / killed before$"),
		old:  "case tip == st.New:", new: "case tip == st.New || !alive:"},
	{name: "a newer state is overwritten", file: "agent/store.go", pkg: "agent", run: "TestNewerState",
		old: "if head.Version > stateVersion {", new: "if false {"},
	{name: "a name leads out of the root", file: "agent/store.go", pkg: "agent", run: "TestValidName",
		old: ` || strings.Contains(name, "..")`, new: ""},
	{name: "the agent does not wait after a failure", file: "agent/run.go", pkg: "agent", run: "TestBackoff",
		old: "a.due = time.Now().Add(a.backoff)", new: "a.due = time.Now()"},
	{name: "bad lines of DOKKU_SCALE are ignored", file: "scale/dokkuscale.go", pkg: "scale", run: "TestParseDokkuScale",
		old: "	if len(bad) > 0 {\n		return nil, bad\n	}", new: ""},
	{name: "a redirect may leave the app", file: "agent/checks/request.go", pkg: "agent/checks", run: "TestAnswers",
		old: "if err != nil || !p.own(next, first) {", new: "if p.own(next, first); err != nil {"},
	{name: "control characters reach the terminal", file: "agent/event/terminal.go", pkg: "agent/event", run: "TestPrintable",
		old: `if r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) {`, new: "if true {"},
	{name: "a domain is given to two apps", file: "agent/command/domains.go", pkg: "agent/command", run: "TestDomains",
		old: "if slices.Contains(taken, d) {", new: "if len(taken) < 0 {"},
	{name: "nobody waits for nginx's proof", file: "agent/proxy/nginx/proof.go", pkg: "agent/proxy/nginx", run: "TestNoProof", slow: true,
		old: "if err := n.prove(ctx, generation, old, known); err != nil {", new: "_, _ = old, known\n	if err := ctx.Err(); err != nil {"},
}
