package docker

// SetProc makes d look for this machine's processes in another folder.
func (d *Engine) SetProc(dir string) { d.proc = dir }
