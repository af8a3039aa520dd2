package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestCoverage simulates blocks of two modes that share the noise of their block,
// as trials of one block do, and counts how often the interval of the ratio holds
// the true one. Noise is log-normal, or with a heavy tail.
func TestCoverage(t *testing.T) {
	const simulations, truth = 4000, 1.10
	noises := map[string]func(*rand.Rand) float64{
		"normal": func(r *rand.Rand) float64 { return 0.05 * r.NormFloat64() },
		"heavy":  func(r *rand.Rand) float64 { return 0.03 * r.NormFloat64() / math.Sqrt(r.ExpFloat64()/2+0.1) },
	}
	for name, noise := range noises {
		for _, n := range []int{3, 6, 7, 8, 10, 15, 20} {
			random := rand.New(rand.NewPCG(uint64(n), 1))
			covered, excluded := 0, 0
			for range simulations {
				a, b := make([]float64, n), make([]float64, n)
				for i := range a {
					shared := 0.20 * random.NormFloat64()
					a[i], b[i] = truth*math.Exp(shared+noise(random)), math.Exp(shared+noise(random))
				}
				ratio, ok := MedianRatio(a, b)
				if !ok {
					t.Fatal("no ratio")
				}
				if ratio.Lo <= truth && truth <= ratio.Hi {
					covered++
				}
				// The same blocks without the difference: an A/A control.
				for i := range a {
					a[i] /= truth
				}
				if same, _ := MedianRatio(a, b); same.Excludes(1) {
					excluded++
				}
			}
			share := float64(covered) / simulations
			// Three standard errors of the simulation. Exact intervals cover more than
			// they promise: with n blocks they can only go from block to block.
			if least := Confidence - 0.015; share < least {
				t.Errorf("%s noise, %d blocks: covered in %.1f%% of the cases, want at least %.1f%%", name, n, 100*share, 100*least)
			}
			if most := exactly(n) + 0.015; share > most {
				t.Errorf("%s noise, %d blocks: covered in %.1f%% of the cases, want at most %.1f%%", name, n, 100*share, 100*most)
			}
			if alarms := float64(excluded) / simulations; alarms > 0.05+3*math.Sqrt(0.05*0.95/simulations) {
				t.Errorf("%s noise, %d blocks: A/A differs in %.1f%% of the cases", name, n, 100*alarms)
			}
		}
	}
}

// exactly is the coverage that the interval of n blocks has by its making: of order
// statistics the smallest that is at least Confidence.
func exactly(n int) float64 {
	k := medianOrder(n)
	if k == 0 {
		return 1 // Student's t may cover more where blocks scatter otherwise
	}
	outside := 0.0
	for i := range k {
		outside += math.Exp(logChoose(n, i) - float64(n)*math.Ln2)
	}
	return 1 - 2*outside
}

func logChoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}

// The bootstrap is a second opinion: with few blocks it promises too much, and how
// much is known.
func TestCoverageOfBootstrap(t *testing.T) {
	const simulations = 400
	for n, least := range map[int]float64{10: 0.89, 20: 0.90} {
		random := rand.New(rand.NewPCG(uint64(n), 2))
		covered := 0
		for seed := range simulations {
			blocks := make([]float64, n)
			for i := range blocks {
				blocks[i] = random.NormFloat64()
			}
			if i := Bootstrap(blocks, uint64(seed)); i.Lo <= 0 && 0 <= i.Hi {
				covered++
			}
		}
		if share := float64(covered) / simulations; share < least {
			t.Errorf("%d blocks: covered in %.1f%% of the cases", n, 100*share)
		}
	}
}

func TestBootstrapIsSeeded(t *testing.T) {
	blocks := []float64{3, 1, 4, 1, 5, 9, 2, 6}
	first, again, other := Bootstrap(blocks, 1), Bootstrap(blocks, 1), Bootstrap(blocks, 2)
	if first != again || first.Estimate != 3.5 || other.Estimate != 3.5 {
		t.Errorf("%+v, %+v, %+v", first, again, other)
	}
	if first.Lo > first.Estimate || first.Hi < first.Estimate || first.Method != Resampled {
		t.Errorf("%+v", first)
	}
	ratio, ok := BootstrapRatio([]float64{2, 4, 6}, []float64{1, 2, 3}, 1)
	if !ok || math.Abs(ratio.Lo-2) > 1e-9 || math.Abs(ratio.Hi-2) > 1e-9 {
		t.Errorf("of constant ratios: %+v", ratio)
	}
	if _, ok := BootstrapRatio([]float64{1}, []float64{0}, 1); ok {
		t.Error("a ratio to 0")
	}
}

// Two runs of one thing, and of one that is 10% slower.
func TestCoverageOfRankRatio(t *testing.T) {
	const simulations, truth = 3000, 1.10
	for _, n := range []int{4, 6, 10} {
		random := rand.New(rand.NewPCG(uint64(n), 3))
		covered, alarms := 0, 0
		for range simulations {
			a, b := make([]float64, n), make([]float64, n+1)
			for i := range a {
				a[i] = truth * math.Exp(0.05*random.NormFloat64())
			}
			for i := range b {
				b[i] = math.Exp(0.05 * random.NormFloat64())
			}
			if ratio, ok := RankRatio(a, b); ok && !ratio.Excludes(truth) {
				covered++
			}
			for i := range a {
				a[i] /= truth
			}
			if same, _ := RankRatio(a, b); same.Excludes(1) {
				alarms++
			}
		}
		if share := float64(covered) / simulations; share < Confidence-0.015 {
			t.Errorf("%d and %d blocks: covered in %.1f%% of the cases", n, n+1, 100*share)
		}
		if share := float64(alarms) / simulations; share > 0.05+3*math.Sqrt(0.05*0.95/simulations) {
			t.Errorf("%d and %d blocks: %.1f%% false alarms", n, n+1, 100*share)
		}
	}
}

func TestRankRatio(t *testing.T) {
	three := []float64{1, 2, 4}
	if r, ok := RankRatio([]float64{2, 4, 8}, three); !ok || math.Abs(r.Estimate-2) > 1e-9 || r.Method != None || r.N != 3 {
		t.Errorf("of three and three: %+v", r)
	}
	// R: wilcox.test(log(a), log(b), conf.int = TRUE) takes the extreme quotients of 4 and 4.
	a, b := []float64{10, 11, 12, 13}, []float64{5, 6, 7, 8}
	if r, ok := RankRatio(a, b); !ok || math.Abs(r.Lo-10.0/8) > 1e-9 || math.Abs(r.Hi-13.0/5) > 1e-9 {
		t.Errorf("of four and four: %+v", r)
	}
	for _, bad := range [][]float64{nil, {0, 1}, {-1}} {
		if _, ok := RankRatio(bad, three); ok {
			t.Errorf("a ratio of %v", bad)
		}
	}
}
