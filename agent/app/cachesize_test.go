package app

import "testing"

// TestCacheSize: the bound of the build cache is a size, a part of the disk, or none.
func TestCacheSize(t *testing.T) {
	const giga = 1 << 30
	const size = "use a whole number of megabytes, or a number with the suffix b, k, m or g, such as 512m; or a part of the disk such as 20%, or none"
	for _, c := range []struct {
		value string
		disk  int64
		want  int64
		error string
	}{
		{"", 100 * giga, 20 * giga, ""},
		{"", 0, 10 * giga, ""},
		{"5%", 200 * giga, 10 * giga, ""},
		{"10g", 5 * giga, 10 * giga, ""},
		{"2048", giga, 2 * giga, ""},
		{"100m", giga, 100 << 20, ""},
		{"none", giga, 0, ""},
		{"0", giga, 0, ""},
		{"10", giga, 0, `Invalid cache-size specified: "10" is less than 100m, which is of no use to a build`},
		{"0g", giga, 0, `Invalid cache-size specified: "0g" is less than 100m, which is of no use to a build`},
		{"10GB", giga, 10 * giga, ""},
		{"10 G", giga, 0, `Invalid cache-size specified: "10 G" is not a size: ` + size},
		{"-1", giga, 0, `Invalid cache-size specified: "-1" is not a size: ` + size},
		{"0%", giga, 0, `Invalid cache-size specified: "0%" is not a part of the disk from 1% to 90%`},
		{"100%", giga, 0, `Invalid cache-size specified: "100%" is not a part of the disk from 1% to 90%`},
		{"a%", giga, 0, `Invalid cache-size specified: "a%" is not a part of the disk from 1% to 90%`},
	} {
		set := Settings{Build: map[string]string{PropCacheSize: c.value}}
		got, err := set.CacheSize(c.disk)
		said := ""
		if err != nil {
			said = err.Error()
		}
		// Percents are of hundredths of the disk.
		if diff := c.want - got; diff < 0 || diff > 99 || said != c.error {
			t.Errorf("%q of %d: %d, %q, want %d, %q", c.value, c.disk, got, said, c.want, c.error)
		}
		if c.value == "" {
			continue
		}
		if err := CheckBuildProperty(PropCacheSize, c.value); (err == nil) != (c.error == "") {
			t.Errorf("builder:set %q: %v", c.value, err)
		}
	}
}
