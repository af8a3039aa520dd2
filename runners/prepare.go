package runners

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/client-go/kubernetes"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/results"
	"svcbench/runners/churn"
	"svcbench/runners/population"
	"svcbench/scenarios"
)

// kept are the populations that a provider keeps during a run, each from the
// first trial that needs it to the end of its scenario.
type kept map[populationKey]clusters.Prepared

// populationKey tells populations apart: everything that decides what is
// written to the API.
type populationKey struct {
	scenario string
	point    scenarios.Point
}

func keyOf(t Trial) populationKey { return populationKey{t.Scenario, t.point.Population()} }

// of returns what is kept for a trial, nil if nothing is.
func (k kept) of(t Trial) clusters.Prepared { return k[keyOf(t)] }

// release forgets what trials of other scenarios needed.
func (k kept) release(scenario string) error {
	var errs []error
	for key, p := range k {
		if key.scenario != scenario {
			errs = append(errs, p.Close())
			delete(k, key)
		}
	}
	return errors.Join(errs...)
}

// Export writes every population of the plan with the provider and leaves it in
// the folder dir, for Options.Populations of runs in other places. The observer
// is told of the first trial with each. One that a mode cannot program is a
// failure.Usage, before any is written.
func Export(ctx context.Context, provider clusters.Provider, plan *Plan, dir string, observer Observer) error {
	if err := fits(provider, plan); err != nil {
		return err
	}
	populations := map[string]bool{}
	for _, p := range plan.Parts() {
		populations[p.Population()] = true
	}
	var done []string
	for _, t := range plan.Trials {
		name := partOf(t.PlannedTrial).Population()
		if slices.Contains(done, name) {
			continue
		}
		done = append(done, name)
		observer.TrialStarted(t.PlannedTrial, len(done), len(populations))
		if err := export(ctx, provider, t, dir, observer); err != nil {
			return fmt.Errorf("write population %s: %w", name, err)
		}
	}
	return nil
}

// export is Export of one trial's population.
func export(ctx context.Context, provider clusters.Provider, t Trial, dir string, observer Observer) (err error) {
	carrier, err := carrierOf(provider)
	if err != nil {
		return err
	}
	logs, err := os.MkdirTemp(dir, "logs-*")
	if err != nil {
		return err
	}
	f := &inFlight{trial: t, provider: provider, kept: kept{}, observer: observer, logDir: logs, record: &results.Trial{}}
	if err := prepare(ctx, f); err != nil {
		return err
	}
	p := f.kept.of(t)
	defer func() { err = errors.Join(err, p.Close()) }()
	return carrier.Export(ctx, p, f.exported(dir))
}

// exported is where Export leaves the population of the trial in dir.
func (f *inFlight) exported(dir string) string {
	return filepath.Join(dir, partOf(f.trial.PlannedTrial).Population())
}

// prepare has the population of the trial written, once for all trials that
// have it, or takes it from where Export has left it.
func prepare(ctx context.Context, f *inFlight) error {
	if f.populations != "" {
		return take(ctx, f)
	}
	p, err := f.provider.(clusters.Preparer).Prepare(ctx, f.config(), func(ctx context.Context, api kubernetes.Interface, n clusters.Network) error {
		if err := f.compose(n); err != nil {
			return err
		}
		return f.write(ctx, api)
	})
	if err != nil {
		return err
	}
	f.kept[keyOf(f.trial)] = p
	return nil
}

func carrierOf(p clusters.Provider) (clusters.Carrier, error) {
	carrier, can := p.(clusters.Carrier)
	if !can {
		return nil, fmt.Errorf("provider %s cannot hand over populations", p.Name())
	}
	return carrier, nil
}

// take takes the population of the trial from where Export has left it.
func take(ctx context.Context, f *inFlight) error {
	carrier, err := carrierOf(f.provider)
	if err != nil {
		return err
	}
	p, err := carrier.Import(ctx, f.config(), f.exported(f.populations))
	if err != nil {
		return err
	}
	f.kept[keyOf(f.trial)] = p
	return nil
}

// populate writes every Service and its endpoints to the API of the cluster.
func populate(ctx context.Context, f *inFlight) error { return f.write(ctx, f.cluster.API()) }

// compose makes the population of the trial, which exists on paper only.
func (f *inFlight) compose(n clusters.Network) (err error) {
	s := f.trial.scenario
	f.population, err = population.New(n, f.trial.point, s.Population, f.spares()*f.trial.point.Endpoints)
	return err
}

// spares is how many sets of endpoints churn may need beside those of the
// population.
func (f *inFlight) spares() int {
	n := f.churnSpares()
	if restarts(f) {
		n += restartSpares
	}
	return n
}

// churnSpares is how many of these are for the churn, the first ones.
func (f *inFlight) churnSpares() int {
	s := f.trial.scenario
	if !churns(f) || s.PodNodes() > 0 {
		return 0
	}
	kinds, err := churn.All(s.Churn)
	if err != nil {
		return 0 // the churn itself will say so
	}
	return churn.Spares(s.Churn, kinds, f.trial.point.Services)
}

// write writes the population to an API.
func (f *inFlight) write(ctx context.Context, api kubernetes.Interface) error {
	p := f.population
	progress := &steps{observer: f.observer, total: p.Objects()}
	start := agent.Now()
	if err := p.Write(ctx, api, progress.at); err != nil {
		return fmt.Errorf("write population of %d Services: %w", p.Services(), err)
	}
	f.scalar(results.PopulateRate, "count/s", float64(p.Objects())/seconds(agent.Now()-start))
	return nil
}
