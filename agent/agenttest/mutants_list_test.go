package agenttest

// together are the tests that let commands run at the same time, with few commands.
var together = []string{"-crowd.commands=240", "-crowd.patience=20s"}

// matrix are the arguments of a part of the fault matrix.
func matrix(cells string) []string { return []string{"-matrix.only=" + cells} }

// powerLoss are the arguments of a part of the playback of a loss of power.
func powerLoss(states string) []string { return []string{"-crash.only=" + states} }

var mutants = []mutant{
	{name: "a file is not synced", test: "TestPowerLoss", args: powerLoss("^config:set"),
		old: "	if err == nil {\n		err = d.Sync(name)\n	}", new: ""},
	{name: "a file is renamed before it is synced", test: "TestPowerLoss", slow: true, args: powerLoss("^config:set"),
		old: "	temp, err := d.Temporary(path, data, 0o600)\n", new: "	temp := path + \".new\"\n	err := d.Write(temp, data, 0o600)\n	defer d.Sync(path)\n"},
	{name: "a folder is not synced", test: "TestPowerLoss", args: powerLoss("^config:set"),
		old: "if err := d.Sync(filepath.Dir(path)); err != nil {", new: "if err := error(nil); err != nil {"},
	{name: "what was pushed is not synced", test: "TestPowerLoss", slow: true, args: powerLoss("^push /|^a push with git before"),
		old: "		err = d.SyncAll(paths...)", new: "		_ = paths"},
	{name: "the lock is not waited for", test: "TestCommandsAtTheSameTime", args: together,
		old: "	if !free && err == nil {\n		err = l.wait(ctx, app, log)\n	}", new: "	_ = free"},
	{name: "the lock is given back early", test: "TestCommandsAtTheSameTime", args: together,
		old: "defer x.Close()\n	if x.State.Destroying", new: "x.Close()\n	if x.State.Destroying"},
	{name: "an old value is not compared", slow: true, test: "TestCommandsAtTheSameTime", args: together,
		old: "if tip != ref.Old {", new: "if false {"},
	{name: "a name is given twice", slow: true, test: "TestCommandsAtTheSameTime", args: together,
		old: "return x.Env.Store.NameFree(r.name)", new: "return nil"},
	{name: "an abandoned lock is not cleaned up behind", test: "TestAbandonedLock",
		old: "if (x.dirty || x.Lock.Abandoned) &&", new: "if x.dirty &&"},
	{name: "ps:scale trusts what was left", test: "TestScaleTrustsNothingLeft",
		old: "	if err := x.tidy(ctx); err != nil {\n		return err\n	}", new: ""},
	{name: "ps:scale --skip-deploy wins over what was said later", slow: true, test: "TestScaleStored",
		old: "delete(st.ScaleNext, t)", new: "_ = t"},
	{name: "the gate is ignored", test: "TestRejectedPush",
		old: "			if err := o.gate(gctx); err != nil {\n				return err\n			}", new: "			o.gate(gctx)"},
	{name: "what a rejected push started is left", test: "TestRejectedPush",
		old: "		err = o.session.Converge(ctx, false)", new: "		err = ctx.Err()"},
	{name: "what a rejected config:set asked for is kept", test: "TestRejectedConfig",
		old: "	if err := prove(o); err != nil {\n		x.State = before\n", new: "	if err := prove(o); err != nil {\n"},
	{name: "nothing drains", test: "TestPlan",
		old: "return Routed(p.w.Live, i.Address) || i.Type", new: "return false && i.Type"},
	{name: "the time to retire begins before the switch", test: "TestFaultMatrix",
		args: matrix("^(push|ps:restart) / proxy: publish .* / killed, a day later$"),
		old:  "e.setRetiring(s.IDs, time.Time{})", new: "e.setRetiring(s.IDs, time.Now())"},
	{name: "what is stopped starts", slow: true, test: "TestPlan",
		old: "	if p.d.Stopped {\n		return\n	}", new: ""},
	{name: "a staged release is ignored", test: "TestRejectedPush",
		old: "	if st == nil {\n		return nil\n	}\n	alive", new: "	if st == nil || st.New != \"\" {\n		return nil\n	}\n	alive"},
	{name: "a staged release is adopted whatever the ref says", test: "TestFaultMatrix",
		args: matrix("^push / move the ref .* / killed before$"),
		old:  "case tip == st.New:", new: "case tip == st.New || !alive:"},
	{name: "a newer state is overwritten", test: "TestNewerState",
		old: "if head.Version > app.Version {", new: "if false {"},
	{name: "a name leads out of the root", test: "TestValidName",
		old: ` || strings.Contains(name, "..") || strings.HasSuffix`, new: " || strings.HasSuffix"},
	{name: "the agent does not wait after a failure", test: "TestBackoff",
		old: "a.Due = time.Now().Add(a.Backoff)", new: "a.Due = time.Now()"},
	{name: "bad lines of DOKKU_SCALE are ignored", test: "TestParseDokkuScale",
		old: "	if len(bad) > 0 {\n		return nil, bad\n	}\n	return scale, nil", new: "	return scale, nil"},
	{name: "a redirect may leave the app", test: "TestAnswers",
		old: "if err != nil || !p.own(next, first) {", new: "if p.own(next, first); err != nil {"},
	{name: "control characters reach the terminal", test: "TestPrintable",
		old: `if r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) {`, new: "if true {"},
	{name: "a domain is given to two apps", test: "TestDomains",
		old: "DomainTaken(set, names, app)\n	if err == nil && owner != \"\" {", new: "DomainTaken(set, names, app)\n	if len(owner) < 0 {"},
	{name: "nobody waits for nginx's proof", test: "TestNoProof", slow: true,
		old: "if err := n.prove(ctx, generation, old, known); err != nil {", new: "_, _ = old, known\n	if err := ctx.Err(); err != nil {"},
}
