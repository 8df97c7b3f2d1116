package buildkit

import (
	"fmt"
	"time"
)

// seconds prints a duration as the push does: "12.3s".
func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
