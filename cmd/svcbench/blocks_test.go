package main

import "testing"

func TestBlockCount(t *testing.T) {
	for text, want := range map[string]blockCount{
		"3":         {n: 3},
		"auto":      {n: mostBlocks, auto: true, width: defaultWidth},
		"auto:2.5%": {n: mostBlocks, auto: true, width: 0.025},
	} {
		var got blockCount
		if err := got.Set(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		var again blockCount
		if err := again.Set(got.String()); err != nil || again != got {
			t.Errorf("%s written and read again: %+v, %v", text, again, err)
		}
	}
	for _, text := range []string{"", "many", "auto:", "auto:5", "auto:-1%", "auto:x%", "3.5"} {
		if err := new(blockCount).Set(text); err == nil {
			t.Errorf("%q is allowed", text)
		}
	}
	if (blockCount{n: 3}).enough("", 0, nil) != nil {
		t.Error("a number of blocks is asked for more")
	}
}
