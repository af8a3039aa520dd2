package reports

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"svcbench/internal/failure"
	"svcbench/internal/results"
)

// tenBlocks is a run of two modes that is enough for verdicts.
func tenBlocks(t *testing.T, again uint64, slower float64) *results.Data {
	t.Helper()
	return synthetic{modes: []string{"iptables", "nftables"}, points: []int{1000}, blocks: 10, samples: 400, small: true, again: again, slower: slower}.run(t)
}

func beside(t *testing.T, old, fresh *results.Data, across bool) *Comparison {
	t.Helper()
	c, err := comparedRuns(t, old, fresh, across)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// comparedRuns compares two runs, the older by what a file keeps of it.
func comparedRuns(t *testing.T, old, fresh *results.Data, across bool) (*Comparison, error) {
	t.Helper()
	var file bytes.Buffer
	was, err := BaselineOf(old)
	if err == nil {
		err = was.Write(&file)
	}
	if err != nil {
		t.Fatal(err)
	}
	if was, err = ReadBaseline("baseline.json", file.Bytes()); err != nil {
		t.Fatal(err)
	}
	is, err := BaselineOf(fresh)
	if err != nil {
		t.Fatal(err)
	}
	return Compare(was, is, across)
}

// Two runs of the same show no difference, and one with itself is equivalent.
func TestCompareTheSame(t *testing.T) {
	c := beside(t, tenBlocks(t, 0, 0), tenBlocks(t, 1, 0), false)
	for _, v := range []Verdict{Worse, Better} {
		if beyond := c.Beyond(v, 0.05); len(beyond) > 0 {
			t.Errorf("%s: %+v", v, beyond)
		}
	}
	run := tenBlocks(t, 0, 0)
	for _, r := range beside(t, run, run, false).Rows {
		if judged(r.Metric) && r.Verdict != Equivalent && r.Verdict != NoDifference && r.Verdict != NotComparable {
			t.Errorf("with itself: %+v", r)
		}
		if r.Ratio.Known() && (r.Ratio < 0.999 || r.Ratio > 1.001) {
			t.Errorf("with itself: ratio %v of %s", r.Ratio, r.Metric)
		}
	}
}

// What became slower is worse, with an interval around how much, and the other way
// round it is better.
func TestCompareSlower(t *testing.T) {
	old, fresh := tenBlocks(t, 0, 0), tenBlocks(t, 1, 1)
	worse := beside(t, old, fresh, false).Beyond(Worse, 0.05)
	at := slices.IndexFunc(worse, func(r Compared) bool { return r.Metric == "programming.add.p50" && r.Mode == "iptables" })
	if at < 0 {
		t.Fatalf("worse are %+v", worse)
	}
	if r := worse[at]; r.RatioLo > 2 || r.RatioHi < 2 || r.RatioLo < 1.2 || r.Adjusted > 0.05 || r.Adjusted < r.P || r.Delta < 0.8 || r.NOld != 10 || r.NNew != 10 {
		t.Errorf("twice as slow: %+v", r)
	}
	for _, r := range worse {
		if !strings.HasPrefix(r.Metric, "programming.") {
			t.Errorf("%s is worse, which was the same", r.Metric)
		}
	}
	if better := beside(t, fresh, old, false).Beyond(Better, 0.05); len(better) != len(worse) {
		t.Errorf("the other way round %d are better, want %d", len(better), len(worse))
	}
	if far := beside(t, old, fresh, false).Beyond(Worse, 5); len(far) != 0 {
		t.Errorf("six times as slow: %+v", far)
	}
}

// Three blocks on a side can carry no verdict.
func TestCompareFewBlocks(t *testing.T) {
	few := synthetic{modes: []string{"iptables"}, points: []int{1000}, blocks: 3, samples: 400, small: true}
	old := few.run(t)
	few.again, few.slower = 1, 9
	c := beside(t, old, few.run(t), false)
	for _, r := range c.Rows {
		if r.Verdict != "" && r.Verdict != NotComparable {
			t.Errorf("%s: %s of three blocks", r.Metric, r.Verdict)
		}
	}
	var b strings.Builder
	if err := c.WriteText(&b); err != nil || !strings.Contains(b.String(), "9 without a verdict, which takes 6 blocks of each run") {
		t.Errorf("%v:\n%s", err, b.String())
	}
}

// Runs of other machines or of other work are refused with the differences, unless
// somebody insists; settings of modes may differ and are named.
func TestCompareRefuses(t *testing.T) {
	old, fresh := tenBlocks(t, 0, 0), tenBlocks(t, 1, 0)
	fresh.Environment.Kernel = "6.18.1"
	fresh.Environment.Versions = map[string]string{"kube-proxy": "v1.38.0", "nft": "1.0.6"}
	fresh.Run.Scenarios[0].YAML += "traffic:\n  connect:\n    rate: 2000\nproxy:\n  minSyncPeriod: 10s\n"
	_, err := comparedRuns(t, old, fresh, false)
	if failure.CodeOf(err) != failure.Invalid || !strings.Contains(failure.HintOf(err), "--across-environments") {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"kernel: 6.12.30, then 6.18.1", "version of kube-proxy: v1.37.2, then v1.38.0", "version of etcd: v3.7.3, then nothing", "traffic.connect.rate of scenario quick: nothing, then 2000"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "minSyncPeriod") {
		t.Errorf("a setting is refused: %v", err)
	}
	c := beside(t, old, fresh, true)
	var b strings.Builder
	if err := c.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"kernel: 6.12.30, now 6.18.1", "proxy.minSyncPeriod of scenario quick: –, now 10s"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in:\n%s", want, b.String())
		}
	}
	other := tenBlocks(t, 1, 0)
	other.Run.Scenarios[0].Name = "other"
	for _, trial := range other.Trials {
		trial.Scenario = "other"
	}
	if _, err := comparedRuns(t, old, other, true); failure.CodeOf(err) != failure.Usage {
		t.Errorf("nothing in common: %v", err)
	}
}

// What only one of the runs has is named.
func TestCompareNames(t *testing.T) {
	old := synthetic{modes: []string{"iptables", "ipvs"}, points: []int{1000}, blocks: 4, samples: 300, small: true}.run(t)
	fresh := synthetic{modes: []string{"iptables", "nftables"}, points: []int{1000}, blocks: 4, samples: 300, small: true, again: 1}.run(t)
	c := beside(t, old, fresh, false)
	if len(c.OnlyOld) != 1 || c.OnlyOld[0].Mode != "ipvs" || len(c.OnlyNew) != 1 || c.OnlyNew[0].Mode != "nftables" {
		t.Errorf("only old %+v, only new %+v", c.OnlyOld, c.OnlyNew)
	}
}

// A file of a run says the same as the run, and what is no such file is refused with
// the place.
func TestBaselineFile(t *testing.T) {
	data := tenBlocks(t, 0, 0)
	b, err := BaselineOf(data)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := b.Write(&file); err != nil {
		t.Fatal(err)
	}
	read, err := ReadBaseline("b.json", file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := read.Write(&again); err != nil || !bytes.Equal(again.Bytes(), file.Bytes()) {
		t.Errorf("read and written again (%v) it is\n%s\nand was\n%s", err, again.String(), file.String())
	}
	if lines, numbers := bytes.Count(file.Bytes(), []byte("\n")), len(read.Cells)*len(read.Cells[0].Numbers); lines < numbers {
		t.Errorf("%d lines for %d numbers", lines, numbers)
	}
	for text, want := range map[string]string{
		"{\n\"format\": x}":            "b.json:2: invalid character 'x'",
		"{}":                           "b.json is no baseline: format is missing",
		`{"format": 1}`:                "there are no numbers in it",
		`{"format": 7, "cells": []}`:   "b.json has format 7, and this svcbench reads up to 1",
		"{\"format\": 1,\n\"run\": 7}": "b.json:2: ",
	} {
		if _, err := ReadBaseline("b.json", []byte(text)); failure.CodeOf(err) != failure.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
