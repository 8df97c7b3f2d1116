package text

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Plural returns a number and a noun: "1 app", "2 apps".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Columns returns a line for each row, with the cells below each other and gap
// spaces between two columns. Lines have no blanks at their end. All rows need the
// same number of cells.
func Columns(rows [][]string, gap int) []string {
	var b strings.Builder
	// An escaped cell may hold tabs.
	w := tabwriter.NewWriter(&b, 0, 0, gap, ' ', tabwriter.StripEscape)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				io.WriteString(w, "\t")
			}
			io.WriteString(w, "\xff"+cell+"\xff")
		}
		io.WriteString(w, "\n")
	}
	w.Flush()
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return lines
}

// Distance is the least number of bytes to insert, delete, replace or swap with
// the next to get from one word to the other.
func Distance(a, b string) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := row[j]
			if a[i] != b[j] {
				cost++
			}
			next[j+1] = min(cost, next[j]+1, row[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
