package load

import "testing"

func TestExceed(t *testing.T) {
	before := amounts{"files": {value: 10}}
	for _, c := range []struct {
		now amount
		ok  bool
	}{
		{amount{value: 10}, true},
		{amount{value: 9}, true},
		{amount{value: 11}, false},
		{amount{value: 12, slack: 2}, true},
		{amount{value: 13, slack: 2}, false},
		{amount{value: 12, slack: 2, most: 11}, false},
	} {
		if err := (amounts{"files": c.now}).exceed(before); (err == nil) != c.ok {
			t.Errorf("%+v after 10: %v", c.now, err)
		}
	}
}
