package engine

// SetProc makes d look for this machine's processes in another folder.
func (d *Docker) SetProc(dir string) { d.proc = dir }
