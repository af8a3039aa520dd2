package results

// Correct is what was found out, before anything was measured, about whether
// sampled Services do what they should: lead to their own endpoints and to
// nobody else, refuse when they have none, and balance. A trial in which they
// do not is failed; what was counted then says why.
type Correct struct {
	// Services counts the sampled Services, Connections the new connections
	// to them, Wrong those of them that were answered by an endpoint that is
	// not the Service's.
	Services    int   `json:"services"`
	Connections int64 `json:"connections"`
	Wrong       int64 `json:"wrong"`
	// Endpoints is of how many endpoints of each Service, if it has so many,
	// all had to answer; 0 where that was not recorded.
	Endpoints int `json:"endpoints,omitempty"`
	// Errors counts those without an answer, by kind.
	Errors map[string]int64 `json:"errors,omitempty"`
	// EmptyServices counts the Services without endpoints, Empty what became
	// of connections to them, by kind: "refused", "timeout" where packets
	// are dropped without a word, "unreachable", ...
	EmptyServices int              `json:"emptyServices"`
	Empty         map[string]int64 `json:"empty,omitempty"`
	// Problem is what is wrong; empty if nothing is.
	Problem string `json:"problem,omitempty"`
	// Balance is nil where there was nothing to test.
	Balance *Balance `json:"balance,omitempty"`
}

// Balance is the chi-square test of the hypothesis that every endpoint of a
// Service is met with the same probability, over the sampled Services.
type Balance struct {
	// Connections were counted in Degrees of freedom.
	Connections int64   `json:"connections"`
	Degrees     int     `json:"degrees"`
	ChiSquare   float64 `json:"chiSquare"`
	// P is the probability of so large a ChiSquare by chance. An
	// implementation that is more even than chance has one near 1.
	P float64 `json:"p"`
	// Least is the smallest P of a single Service's own test.
	Least float64 `json:"least"`
}
