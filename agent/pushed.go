package agent

import "fmt"

// deployBranch is the branch of the app that deploys; "" while none has been
// adopted.
func (set Settings) deployBranch(a *App) string {
	if a.State.DeployBranch != "" {
		return a.State.DeployBranch
	}
	return set.Git["deploy-branch"]
}

// pushed returns the revision that the deploy branch has, "" while none was
// pushed, and the branch if it is yet to be adopted.
func (s *Server) pushed(a *App) (adopt, revision string, err error) {
	set, err := s.Settings()
	if err != nil {
		return "", "", err
	}
	if b := set.deployBranch(a); b != "" {
		revision, err = readRef(a.Dir, headRef+b)
		return "", revision, err
	}
	for _, b := range []string{"main", "master"} {
		if revision, err = readRef(a.Dir, headRef+b); err != nil || revision != "" {
			return b, revision, err
		}
	}
	return "", "", nil
}

// Undeployed returns the revision that was pushed while deploys were skipped; ""
// when what was pushed is deployed.
func (s *Server) Undeployed(a *App) (string, error) {
	_, revision, err := s.pushed(a)
	if err != nil {
		return "", fmt.Errorf("cannot tell what was pushed to %s: %w", a.Name, err)
	}
	if a.Current != nil && a.Current.Revision == revision || a.State.Staged != nil {
		return "", nil
	}
	return revision, nil
}
