package path

import (
	"bytes"
	"encoding/json"
	"math"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestEach(t *testing.T) {
	var s Samples
	for _, record := range [][]byte{
		{10, 96, 0, 1, 10, 2, 0, 7, 0xe8, 0x03, 0, 0},
		{10, 96, 255, 254, 10, 2, 0, 8, 0xff, 0xff, 0xff, 0xff},
	} {
		if err := s.add(record); err != nil {
			t.Fatal(err)
		}
	}
	type sample struct {
		dst, backend string
		ns           int64
	}
	var got []sample
	s.Each(func(dst, backend netip.Addr, ns int64) {
		got = append(got, sample{dst.String(), backend.String(), ns})
	})
	want := []sample{{"10.96.0.1", "10.2.0.7", 1000}, {"10.96.255.254", "10.2.0.8", math.MaxUint32}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(sample{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if err := s.add(make([]byte, 11)); err == nil {
		t.Error("a record cut short was taken")
	}
}

func TestSamplesInJSON(t *testing.T) {
	in := Samples{
		Dst: Words{0x0a600001, 0}, Backend: Words{0x0a020007, 1}, NS: Words{1, math.MaxUint32},
		Entered: 1, Matched: 2, Unmatched: 3, Lost: 4, Overwritten: 5, Retransmitted: 6,
	}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"dst":"AQBgCgAAAAA=","backend":"BwACCgEAAAA=","ns":"AQAAAP////8=",` +
		`"entered":1,"matched":2,"unmatched":3,"lost":4,"overwritten":5,"retransmitted":6}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var out Samples
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, out); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestUnequalColumns(t *testing.T) {
	for _, s := range []Samples{
		{Dst: Words{1}, Backend: Words{1}},
		{Dst: Words{1}, NS: Words{1}},
		{Backend: Words{1}, NS: Words{1}},
	} {
		if s.check() == nil {
			t.Errorf("no error for %+v", s)
		}
	}
}

func FuzzWords(f *testing.F) {
	for _, seed := range []string{"", "AQAAAP////8=", "AQAAAA==", "AQ==", "!", "AQAAAA"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var w Words
		if w.UnmarshalText(text) != nil {
			return
		}
		again, err := w.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back Words
		if err := back.UnmarshalText(again); err != nil {
			t.Fatalf("cannot read own text %q: %v", again, err)
		}
		if diff := cmp.Diff(w, back, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-first +second)\n%s", diff)
		}
		if len(again) > len(bytes.TrimSpace(text))+4 {
			t.Errorf("%q grew to %q", text, again)
		}
	})
}
