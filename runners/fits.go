package runners

import (
	"cmp"
	"fmt"

	"svcbench/clusters"
	"svcbench/internal/failure"
)

// fits makes sure that every mode can program every population it is to be
// measured with, before hours have gone into writing one. It is a usage error
// if one cannot.
func fits(provider clusters.Provider, plan *Plan) error {
	limiter, ok := provider.(clusters.Limiter)
	if !ok {
		return nil
	}
	for _, t := range plan.Trials {
		err := limiter.Fits(clusters.Config{
			Mode: t.mode, Size: sizeOf(t.scenario, t.point), Settings: t.scenario.Settings(),
			PodNodes: t.scenario.PodNodes(), Placement: t.scenario.Population.Placement,
		})
		if err != nil {
			return failure.New(failure.Usage, fmt.Errorf("scenario %s with %v: %w", t.Scenario, t.point, err),
				cmp.Or(failure.HintOf(err), "choose smaller points (--points), or leave the mode out (--modes)"))
		}
	}
	return nil
}
